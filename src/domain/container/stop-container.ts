import type { OciRuntime } from "#drivers/oci-runtime/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { isLive, isPaused } from "./container.ts";
import type { Container } from "./container.ts";
import { unpauseContainer } from "./pause-container.ts";

/** After KILL, for how long and how often a process that does not end is waited for and killed again. */
const killTimeoutMs = 120_000;
const firstKillWaitMs = 500;
const signalAttempts = 3;

/** A stop under way. */
interface Stop {
  done: Promise<void>;
  /** When KILL is due, in ms of the monotonic clock. */
  deadlineMs: number;
  /** Wakes the wait, so that an earlier deadline counts. */
  hasten: () => void;
}

/**
 * Ends containers: stop signal, grace, KILL. A second call joins the first and can only shorten its grace.
 */
export class ContainerStops {
  readonly #drivers: ContainerDrivers;
  readonly #exits: ContainerExits;
  readonly #running = new Map<string, Stop>();

  constructor(drivers: ContainerDrivers, exits: ContainerExits) {
    this.#drivers = drivers;
    this.#exits = exits;
  }

  isStopping(id: string): boolean {
    return this.#running.has(id);
  }

  /** @throws DomainError deadline-exceeded when the process outlives even KILL */
  async stop(container: Container, graceMs: number): Promise<void> {
    if (!isLive(container)) return;
    const deadlineMs = performance.now() + graceMs;
    const running = this.#running.get(container.id);
    if (running !== undefined) {
      if (deadlineMs < running.deadlineMs) {
        running.deadlineMs = deadlineMs;
        running.hasten();
      }
      return running.done;
    }
    const stop: Stop = { done: Promise.resolve(), deadlineMs, hasten() {} };
    this.#running.set(container.id, stop);
    stop.done = this.#run(container, stop).finally(() => this.#running.delete(container.id));
    return stop.done;
  }

  async #run(container: Container, stop: Stop): Promise<void> {
    this.#exits.watchIfPossible(container);
    // A frozen process handles no signal.
    if (isPaused(container)) await unpauseContainer(this.#drivers, container);
    // A process that was never started has no handler for anything: it can go at once.
    if (container.state.kind === "running" && stop.deadlineMs > performance.now()) {
      await this.#ask(container);
      if (await this.#waitUntilDeadline(container.id, stop)) return;
      this.#drivers.logger.warn("container did not end in its grace period and is killed", {
        container: container.id,
        signal: container.stopSignal,
      });
    }
    await this.#kill(container);
  }

  /** An image may name a signal that is none, and has to be ended all the same. */
  async #ask(container: Container): Promise<void> {
    const fallback = "SIGTERM";
    try {
      await this.#signal(container, container.stopSignal);
    } catch (error) {
      if (container.stopSignal === fallback) throw error;
      const facts = { container: container.id, signal: container.stopSignal, error };
      this.#drivers.logger.warn(`the stop signal of a container cannot be sent, ${fallback} is sent instead`, facts);
      await this.#signal(container, fallback);
    }
  }

  async #waitUntilDeadline(id: string, stop: Stop): Promise<boolean> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<false>();
      stop.hasten = () => resolve(false);
      const remainingMs = Math.max(0, stop.deadlineMs - performance.now());
      if (await Promise.race([this.#exits.wait(id, remainingMs), promise])) return true;
      if (performance.now() >= stop.deadlineMs) return this.#exits.wait(id, 0);
    }
  }

  async #kill(container: Container): Promise<void> {
    const startedMs = performance.now();
    for (let waitMs = firstKillWaitMs; performance.now() - startedMs < killTimeoutMs; waitMs *= 2) {
      await this.#signal(container, "SIGKILL");
      if (await this.#exits.wait(container.id, waitMs)) return;
    }
    throw new DomainError(
      "deadline-exceeded",
      `container ${container.id}: its process ${container.process?.pid} did not end within ${killTimeoutMs / 1000} s of SIGKILL; it may be blocked in the kernel`,
    );
  }

  /** By system call where the container's process is one of the host, else by the runtime. */
  async #signal(container: Container, signal: string): Promise<void> {
    const { processes, runtimes, settings, store } = this.#drivers;
    if (settings.isSandboxed(container.runtimeHandler)) {
      await this.#signalByRuntime(container.id, runtimes.get(container.runtimeHandler), signal);
      return;
    }
    // A container that is restored gets its process only with its start, which may be under way.
    const { process } = store.index.current(container.id) ?? container;
    const alive = process !== undefined && processes.signal(process, signal);
    if (!alive) await this.#exits.settle(container.id);
  }

  /** Tried again where it was refused for what may have changed since: a start has come to its end, for example. */
  async #signalByRuntime(id: string, runtime: OciRuntime, signal: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await runtime.kill(id, signal);
        return;
      } catch (error) {
        if (await this.#needsNoSignal(id, runtime)) return;
        if (attempt === signalAttempts) throw error;
      }
    }
  }

  /**
   * A runtime refuses to signal a container that has ended meanwhile, which is no failure of its stop, and one without processes of its own,
   * as it was not started: that one is taken away, but not under the hands of a start.
   */
  async #needsNoSignal(id: string, runtime: OciRuntime): Promise<boolean> {
    const state = await runtime.state(id);
    if (state === undefined || state.status === "stopped") {
      await this.#exits.settle(id);
      return true;
    }
    if (state.status !== "created") return false;
    await this.#exits.startSettled(id);
    const current = this.#drivers.store.index.current(id);
    if (current === undefined || !isLive(current)) return true;
    if (current.state.kind !== "created") return false;
    await runtime.delete(id, { force: true });
    return true;
  }
}
