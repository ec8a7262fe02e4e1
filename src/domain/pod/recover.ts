import type { CorruptRecord, Records } from "#drivers/records/index.ts";
import { awaitsRestore, isLive, withState } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import { discardContainer } from "#domain/container/remove-container.ts";
import { discardSandbox } from "#domain/sandbox/end-sandbox.ts";
import { makeOwnGroup } from "#domain/sandbox/own-cgroup.ts";
import type { ProcessRef, Sandbox } from "#domain/sandbox/sandbox.ts";
import { nowNs } from "#lib/clock.ts";
import { removeOne } from "./end-pod.ts";
import type { InfraWatch } from "./infra-watch.ts";
import type { PodDrivers } from "./pod-drivers.ts";
import { recoverCheckpoints, recoverRestore } from "./recover-checkpoints.ts";
import { sweepUnclaimed } from "./sweep-unclaimed.ts";

/** Records of both kinds, as the daemon of before has left them. */
export interface RecoverySources {
  sandboxes: Records<Sandbox>;
  containers: Records<Container>;
  /** Stops a pod, or waits for a client's stop of it. */
  stop(this: void, sandboxId: string): Promise<void>;
}

/** What is left to do after recovery and may take long; failures are logged. */
export type Afterwards = () => Promise<void>;

/**
 * Makes the truth of what an earlier daemon left: records are read, live containers are watched again, ends that nobody saw are recorded,
 * half-made things are undone. When it resolves, lists are right. What takes long, such as releasing the network of pods that a reboot
 * ended, is given back to be done while requests are already served.
 */
export async function recover(drivers: PodDrivers, infra: InfraWatch, sources: RecoverySources): Promise<Afterwards> {
  const [sandboxes, containers] = await Promise.all([sources.sandboxes.load(), sources.containers.load()]);
  reportCorrupt(drivers, "pod sandbox", sandboxes.corrupt);
  reportCorrupt(drivers, "container", containers.corrupt);
  for (const sandbox of byAge(sandboxes.records)) drivers.sandbox.store.adopt(sandbox);
  for (const container of byAge(containers.records)) drivers.container.store.adopt(container);
  for (const { selinuxLevel } of sandboxes.records)
    if (selinuxLevel !== "") drivers.sandbox.selinuxLevels.reserve(selinuxLevel);

  await inTime(drivers, "checkpoints", recoverCheckpoints(drivers));
  await inTime(drivers, "containers", Promise.all(containers.records.map((one) => recoverContainer(drivers, one))));
  await inTime(drivers, "pod sandboxes", Promise.all(sandboxes.records.map((one) => recoverSandbox(drivers, one))));
  for (const sandbox of drivers.sandbox.store.index.all()) if (sandbox.state.kind === "ready") infra.watch(sandbox);
  const lost = [...sandboxes.corrupt, ...containers.corrupt].map((record) => record.id);
  return async () => {
    makeOwnGroups(drivers);
    await finishPods(drivers, sources.stop);
    await sweepUnclaimed(drivers, new Set(lost));
  };
}

/** One hung runtime or mount must not keep the node without a runtime: what takes longer goes on behind the socket. */
async function inTime(drivers: PodDrivers, what: string, work: Promise<unknown>): Promise<void> {
  const limitMs = 20_000;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    drivers.logger.warn(`recovering ${what} takes long and goes on in the background`, { limitMs });
    resolve();
  }, limitMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function reportCorrupt(drivers: PodDrivers, noun: string, corrupt: readonly CorruptRecord[]): void {
  for (const { id, setAsideAt, reason } of corrupt) {
    drivers.logger.error(`the record of a ${noun} cannot be read and was set aside`, { id, setAsideAt, reason });
  }
}

function byAge<T extends { createdAtNs: string }>(entities: readonly T[]): T[] {
  return entities.toSorted((a, b) => Number(BigInt(a.createdAtNs) - BigInt(b.createdAtNs)));
}

async function recoverContainer(drivers: PodDrivers, container: Container): Promise<void> {
  const { container: parts, exits, logger } = drivers;
  try {
    if (container.state.kind === "creating") {
      await discardContainer(parts, container);
    } else if (container.state.kind === "removing") {
      await removeOne(drivers, container);
    } else if (isLive(container)) {
      if (container.bootId !== parts.settings.bootId) await endedByReboot(drivers, container);
      else if (awaitsRestore(container)) await recoverRestore(drivers, container);
      else if (container.process !== undefined && parts.processes.isAlive(container.process))
        await recoverLive(drivers, container, container.process);
      else await exits.settle(container.id);
    }
  } catch (error) {
    logger.error("cannot recover a container", { container: container.id, error });
    watchUnrecovered(drivers, container);
  }
}

/** Why ever it could not be looked at, descriptors may have run out: nothing says that it has ended, and its end must not be missed. */
function watchUnrecovered({ container: parts, exits }: PodDrivers, { id }: Container): void {
  const container = parts.store.index.current(id);
  if (container === undefined || !isLive(container) || container.bootId !== parts.settings.bootId) return;
  exits.watchIfPossible(container);
}

/** The daemon may have died between the runtime's `start` and the record of it. */
async function recoverLive(drivers: PodDrivers, container: Container, process: ProcessRef): Promise<void> {
  const { store, runtimes, bundles } = drivers.container;
  if (container.state.kind === "created") {
    const runtime = runtimes.get(container.runtimeHandler);
    await runtime.resumeStart({ id: container.id, bundle: bundles.path(container.id), process });
    const state = await runtime.state(container.id);
    if (state?.status === "running")
      await store.update(container.id, (current) =>
        current.state.kind === "created" ? withState(current, { kind: "running", startedAtNs: nowNs() }) : undefined,
      );
  }
  drivers.exits.watch(store.index.current(container.id) ?? container);
}

async function endedByReboot(drivers: PodDrivers, container: Container): Promise<void> {
  const startedAtNs = container.state.kind === "running" ? container.state.startedAtNs : "0";
  const exit = {
    exitCode: 255,
    finishedAtNs: nowNs(),
    reason: "ContainerStatusUnknown",
    message: "the machine was rebooted while the container ran",
  };
  await drivers.container.store.update(container.id, (current) =>
    withState(current, { kind: "exited", startedAtNs, exit }),
  );
}

/** A sandbox that is not what it was becomes "stopping": its network and namespaces are released afterwards. */
async function recoverSandbox(drivers: PodDrivers, sandbox: Sandbox): Promise<void> {
  const { sandbox: parts, logger } = drivers;
  try {
    if (sandbox.state.kind === "creating" || sandbox.state.kind === "removing") {
      await discardSandbox(parts, sandbox);
    } else if (sandbox.state.kind === "ready" && !(await isWhole(drivers, sandbox))) {
      await parts.store.transition(sandbox, { kind: "stopping" });
    }
  } catch (error) {
    logger.error("cannot recover a pod sandbox", { sandbox: sandbox.id, error });
  }
}

/** A sandbox is what it was while its namespaces are pinned and its pause process, if it has one, runs. */
async function isWhole(drivers: PodDrivers, sandbox: Sandbox): Promise<boolean> {
  const { namespaces, settings } = drivers.sandbox;
  if (sandbox.bootId !== settings.bootId) return false;
  if (sandbox.infra !== undefined && !drivers.container.processes.isAlive(sandbox.infra.process)) return false;
  const pins = await Promise.all(Object.values(sandbox.namespaces).map((pin) => namespaces.isPinned(pin)));
  return pins.every(Boolean);
}

/** The daemon may have died between the record of a ready pod and the making of its group. */
function makeOwnGroups({ sandbox: parts }: PodDrivers): void {
  // Nobody waits for them, as for those of new pods; a stop that comes from now on takes them away after they were made.
  for (const sandbox of parts.store.index.all()) if (sandbox.state.kind === "ready") void makeOwnGroup(parts, sandbox);
}

/** Ends what an earlier daemon had begun to end; containers that still run get their grace again. */
async function finishPods(drivers: PodDrivers, stop: RecoverySources["stop"]): Promise<void> {
  for (const sandbox of drivers.sandbox.store.index.all().filter((one) => one.state.kind === "stopping")) {
    await stop(sandbox.id).catch((error: unknown) =>
      drivers.logger.warn("a pod that had ended cannot be cleaned up; stopping it again will try again", {
        sandbox: sandbox.id,
        error,
      }),
    );
  }
}
