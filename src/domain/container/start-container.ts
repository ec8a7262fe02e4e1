import { DomainError, messageOf } from "#errors/domain-error.ts";
import { nowNs } from "#lib/clock.ts";
import { restoreContainer } from "./checkpoint/restore-container.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import type { ContainerStore } from "./container-store.ts";
import { isLive, withState } from "./container.ts";
import type { Container } from "./container.ts";
import type { ContainerStops } from "./stop-container.ts";

/**
 * Starts the waiting process of a created container. One that cannot be started has exited afterwards, with the reason in its status; where it
 * cannot because it or its pod is being stopped, its end is the stop's.
 * @throws DomainError failed-precondition unless the container is created, and nobody stops it
 */
export async function startContainer(
  drivers: ContainerDrivers,
  exits: ContainerExits,
  stops: Pick<ContainerStops, "isStopping">,
  container: Container,
): Promise<void> {
  const { store } = drivers;
  if (container.state.kind !== "created") {
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} is ${container.state.kind}, only a created one can be started`,
    );
  }
  const refused = refusal(drivers, stops, container);
  if (refused !== undefined) throw refused;
  const startedAtNs = nowNs();
  store.adopt({ ...container, state: { kind: "created", startingAtNs: startedAtNs } });
  let now: Container | undefined;
  try {
    exits.watch(container);
    const started = await startProcesses(drivers, container);
    // The process may have ended already: its end is recorded after this, see `ContainerExits.starting`.
    now = await store.update(container.id, (current) =>
      current.state.kind === "created"
        ? { ...withState(current, { kind: "running", startedAtNs }), ...started }
        : undefined,
    );
  } catch (error) {
    const stopped = refusal(drivers, stops, container, error);
    // Whoever stops it or its pod has ended the process that waited: that is its end, and no failure of the start.
    if (stopped !== undefined && container.process !== undefined) forgetStart(store, container);
    else await recordStartError(drivers, container, error);
    throw stopped ?? error;
  }
  await forgetCheckpoint(drivers, exits, container, now);
  drivers.logger.info("container is started", { container: container.id });
  drivers.publish("started", now ?? container);
}

/** Why a container may not be started now, or could not be: its pod or itself is being stopped. */
function refusal(
  { sandboxes }: ContainerDrivers,
  stops: Pick<ContainerStops, "isStopping">,
  { id, sandboxId }: Container,
  cause?: unknown,
): DomainError | undefined {
  const why =
    sandboxes.index.current(sandboxId)?.state.kind !== "ready"
      ? `its pod sandbox ${sandboxId} is not ready`
      : stops.isStopping(id)
        ? "it is being stopped"
        : undefined;
  if (why === undefined) return undefined;
  const failure = cause === undefined ? "" : `: ${messageOf(cause)}`;
  return new DomainError("failed-precondition", `container ${id} cannot be started: ${why}${failure}`, { cause });
}

/** Its end does not tell of a start then. */
function forgetStart(store: ContainerStore, { id }: Container): void {
  const current = store.index.current(id);
  if (current?.state.kind === "created") store.adopt({ ...current, state: { kind: "created" } });
}

/** Gives what is known of a container only now. */
async function startProcesses(drivers: ContainerDrivers, container: Container): Promise<Partial<Container>> {
  const { id, process: waiting, restore } = container;
  if (restore?.parts === undefined) {
    if (waiting === undefined)
      throw new DomainError("internal", `container ${id} has no process that could be started`);
    const bundle = drivers.bundles.path(id);
    await drivers.runtimes.get(container.runtimeHandler).start({ id, bundle, process: waiting });
    return {};
  }
  await drivers.store.update(container.id, (current) => ({ ...current, restore: { ...restore, begun: true } }));
  const { container: process, monitor } = await restoreContainer(drivers, container, restore.parts);
  return { process, monitor, restore: { checkpointedAtNs: restore.checkpointedAtNs } };
}

/** What a restored container was made of is not needed any more, and now it has a process to watch. */
async function forgetCheckpoint(
  drivers: ContainerDrivers,
  exits: ContainerExits,
  { restore }: Container,
  now: Container | undefined,
): Promise<void> {
  if (restore?.parts === undefined) return;
  // It runs by now, whoever may watch it.
  if (now !== undefined && isLive(now)) exits.watchIfPossible(now);
  await drivers.checkpoints.restores.discard(restore.parts);
}

/** One that cannot be ended has not. Never fails: why the container did not start is what its caller has to hear, whatever else goes wrong then. */
async function recordStartError(drivers: ContainerDrivers, container: Container, error: unknown): Promise<void> {
  const exit = { exitCode: 128, finishedAtNs: nowNs(), reason: "StartError", message: messageOf(error) };
  // Before that is recorded, for which the disk may be too full: who is told that it has not started may start another one.
  if (!(await isTakenAway(drivers, container))) {
    forgetStart(drivers.store, container);
    return;
  }
  try {
    const ended = await drivers.store.update(container.id, (current) =>
      current.state.kind === "created" ? withState(current, { kind: "exited", startedAtNs: "0", exit }) : undefined,
    );
    if (ended !== undefined) drivers.publish("stopped", ended);
  } catch (recordError) {
    drivers.logger.error("cannot record the end of a container that did not start", {
      container: container.id,
      startError: messageOf(error),
      error: recordError,
    });
  }
}

/** False when its process may be there afterwards: descriptors may have run out, with which anything could be done about it. */
async function isTakenAway(drivers: ContainerDrivers, { id, runtimeHandler }: Container): Promise<boolean> {
  const { runtimes, processes, store, logger } = drivers;
  try {
    await runtimes.get(runtimeHandler).delete(id, { force: true });
    return true;
  } catch (error) {
    logger.warn("cannot delete a container that did not start", { container: id, error });
  }
  try {
    const process = store.index.current(id)?.process;
    if (process !== undefined) processes.signal(process, "SIGKILL");
    return true;
  } catch (error) {
    logger.error("cannot kill a container that did not start: it stays as it is until it is stopped", {
      container: id,
      error,
    });
    return false;
  }
}
