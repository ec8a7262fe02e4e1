import type { ProcessRef, ProcessWatch } from "#drivers/processes/index.ts";
import type { ExitRecord } from "#drivers/monitor/index.ts";
import type { OciRuntime } from "#drivers/oci-runtime/index.ts";
import { nowNs } from "#lib/clock.ts";
import { InFlight } from "#lib/in-flight.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { awaitsRestore, isLive, withState } from "./container.ts";
import type { Container, ContainerExit } from "./container.ts";

/** Code of a process that SIGKILL has ended. */
const killedExitCode = 137;
/** Code of a container whose end nobody saw, as CRI-O reports it. */
const unknownExitCode = 255;

/**
 * Turns ends of processes into exited containers. The monitor's record decides; the process itself is watched too, so that a container
 * whose monitor was killed does not stay "running". Afterwards what the container no longer needs is freed.
 */
export class ContainerExits {
  readonly #drivers: ContainerDrivers;
  readonly #settling = new SingleFlight<string, void>();
  readonly #starts = new InFlight<string>();
  readonly #watches = new Map<string, ProcessWatch>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #cleanups = new Map<string, Promise<void>>();
  readonly #stopListening: () => void;

  constructor(drivers: ContainerDrivers) {
    this.#drivers = drivers;
    this.#stopListening = drivers.monitor.onExit((id) => {
      if (drivers.store.index.current(id) !== undefined) this.#settleLogged(id);
    });
  }

  /**
   * Begins to watch a live container.
   * @throws Error where the kernel or a security policy lets nobody watch it
   */
  watch(container: Container): void {
    if (container.process === undefined || this.#watches.has(container.id)) return;
    const watch = this.#drivers.processes.watch(container.process);
    this.#watches.set(container.id, watch);
    void watch.exited.then(() => this.#settleLogged(container.id));
  }

  /** For what has to go on without, too: the monitor tells of the container's end, and each signal that finds it gone. */
  watchIfPossible(container: Container): void {
    try {
      this.watch(container);
    } catch (error) {
      const facts = { container: container.id, error };
      this.#drivers.logger.error(
        "the process of a container cannot be watched: its monitor alone tells of its end",
        facts,
      );
    }
  }

  /** Resolves true once the container has ended, false when `timeoutMs` is over first. */
  async wait(id: string, timeoutMs: number): Promise<boolean> {
    const container = this.#drivers.store.index.current(id);
    if (container === undefined || !isLive(container)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onEnd = (): void => resolve(true);
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(onEnd));
    const timer = setTimeout(() => resolve(false), Math.min(timeoutMs, longestTimerMs));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(onEnd);
      if (waiting.size === 0) this.#waiting.delete(id);
    }
  }

  /** Records the end of a container whose process is gone. Joined when it is under way; nothing happens to one that has not ended. */
  settle(id: string): Promise<void> {
    return this.#settling.run(id, () => this.#settle(id));
  }

  /** Waits for the freeing of what an ended container held, which a daemon that was killed may have left to us; rejects when that fails. */
  async cleaned(container: Container): Promise<void> {
    await (this.#cleanups.get(container.id) ?? this.#cleanUp(container));
  }

  forget(id: string): void {
    this.#watches.get(id)?.close();
    this.#watches.delete(id);
    this.#cleanups.delete(id);
  }

  close(): void {
    this.#stopListening();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  #settleLogged(id: string): void {
    this.settle(id).catch((error: unknown) =>
      this.#drivers.logger.error("cannot record the end of a container", { container: id, error }),
    );
  }

  /**
   * Runs the start of a container. An end that comes meanwhile is recorded when the start is done: the runtime's `start` still works on
   * the container, which must not be deleted under its hands, and whoever follows events hears of the start first.
   */
  starting(id: string, start: () => Promise<void>): Promise<void> {
    return this.#starts.run(id, start);
  }

  /** Resolves when the start of the container that is under way now is done, well or not. */
  async startSettled(id: string): Promise<void> {
    await this.#starts.settled(id);
  }

  async #settle(id: string): Promise<void> {
    await this.#starts.settled(id);
    const container = this.#drivers.store.index.current(id);
    if (container === undefined || !isLive(container)) return;
    const record = await this.#recordOf(container);
    if (record === undefined) return;
    const ended = await this.#drivers.store.update(id, (current) =>
      isLive(current)
        ? withState(current, { kind: "exited", startedAtNs: startedAtNs(current), exit: exitOf(record) })
        : undefined,
    );
    if (ended === undefined) return;
    this.#watches.get(id)?.close();
    this.#watches.delete(id);
    const cleanup = this.#cleanUp(ended);
    // Whoever removes the container awaits this; until then a failure is only worth a line in the log.
    cleanup.catch((error: unknown) =>
      this.#drivers.logger.warn("cannot free what an ended container held", { container: id, error }),
    );
    this.#cleanups.set(id, cleanup);
    for (const wake of this.#waiting.get(id) ?? []) wake();
    this.#drivers.logger.info("container has ended", {
      container: id,
      exitCode: record.exitCode,
      oomKilled: record.oomKilled,
    });
    this.#drivers.publish("stopped", ended);
  }

  /** The monitor's record, waited for as long as the monitor lives; without a monitor, what else is known. */
  async #recordOf(container: Container): Promise<(ExitRecord & { message?: string }) | undefined> {
    const { monitor, processes, bundles, cgroups } = this.#drivers;
    const bundle = bundles.path(container.id);
    const oomKills = await cgroups.oomKills(container.cgroupsPath);
    const read = async (): Promise<ExitRecord | undefined> => {
      const record = await monitor.exitRecord(container.id, bundle);
      if (record === undefined || record.oomKilled || record.exitCode !== killedExitCode) return record;
      // The monitor may see the exit before the event of the OOM killer, or find the cgroup gone that would have told it.
      const counted = oomKills ?? (cgroups.oomKillLogged(container.cgroupsPath) ? 1 : 0);
      return { ...record, oomKilled: counted > 0 };
    };
    const record = await read();
    if (record !== undefined) return record;
    if (awaitsRestore(container)) return isStarting(container) ? undefined : neverRestored();
    if (container.process !== undefined && processes.isAlive(container.process)) return undefined;
    await this.#monitorDone(container.monitor, container.id);
    const late = await read();
    if (late !== undefined) return late;
    this.#drivers.monitorLost(container);
    const exitCode = (container.process && processes.reapedExitCode(container.process.pid)) ?? unknownExitCode;
    return {
      exitCode,
      finishedAtNs: nowNs(),
      oomKilled: (oomKills ?? 0) > 0,
      message: "the monitor of the container ended before it could record the exit",
    };
  }

  /** Resolves when the monitor has written its record or has ended. */
  async #monitorDone(ref: ProcessRef | undefined, id: string): Promise<void> {
    if (ref === undefined) return;
    const { monitor, processes } = this.#drivers;
    const watch = processes.watch(ref);
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = monitor.onExit((ended) => {
      if (ended === id) resolve();
    });
    try {
      if ((await monitor.exitRecord(id, this.#drivers.bundles.path(id))) !== undefined) return;
      await Promise.race([promise, watch.exited]);
    } finally {
      stop();
      watch.close();
    }
  }

  async #cleanUp(container: Container): Promise<void> {
    const { storage, cgroups, sandboxes } = this.#drivers;
    await this.#runtimeOf(container)?.delete(container.id);
    await storage.unmountRootfs(container.id);
    const sandbox = sandboxes.index.current(container.sandboxId);
    if (sandbox !== undefined) await cgroups.removeMonitorGroup(sandbox.cgroupParent, container.id);
  }

  /** A handler that was taken out of the configuration must not make its ended containers stay for ever. */
  #runtimeOf({ id, runtimeHandler }: Container): OciRuntime | undefined {
    try {
      return this.#drivers.runtimes.get(runtimeHandler);
    } catch (error) {
      this.#drivers.logger.warn("what the runtime has of an ended container stays", { container: id, error });
      return undefined;
    }
  }
}

function startedAtNs(container: Container): string {
  if (container.state.kind === "running") return container.state.startedAtNs;
  return container.state.kind === "created" ? (container.state.startingAtNs ?? "0") : "0";
}

/** What is told of a container that was stopped before its start brought back the processes of a checkpoint. */
function neverRestored(): ExitRecord & { message: string } {
  return {
    exitCode: 137,
    finishedAtNs: nowNs(),
    oomKilled: false,
    message: "the container was stopped before it was restored from its checkpoint",
  };
}

function isStarting({ state }: Container): boolean {
  return state.kind === "created" && state.startingAtNs !== undefined;
}

function exitOf(record: ExitRecord & { message?: string }): ContainerExit {
  const { exitCode, finishedAtNs } = record;
  const reason = record.oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  return { exitCode, finishedAtNs, reason, message: record.message ?? "" };
}
