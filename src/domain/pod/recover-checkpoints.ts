import { thaw } from "#domain/container/checkpoint/freeze.ts";
import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import type { ContainerExits } from "#domain/container/container-exits.ts";
import { isRunning, withState } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import { nowNs } from "#lib/clock.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** Undoes checkpoints and restores that an earlier daemon did not bring to their end. Before requests are served: it takes all that it finds for theirs. */
export async function recoverCheckpoints({ container: parts, logger }: PodDrivers): Promise<void> {
  const { dumps, restores } = parts.checkpoints;
  const claimed = new Set(parts.store.index.all().map(({ restore }) => restore?.parts));
  for (const id of await dumps.unfinished()) {
    logger.warn("removing a checkpoint that was not finished", { container: id });
    const container = parts.store.index.current(id);
    const undo = async (): Promise<void> => {
      await dumps.halt(id);
      // It may stand still since then.
      if (container !== undefined && isRunning(container)) await thaw(parts, container);
      await dumps.end(id);
    };
    await undo().catch((error: unknown) =>
      logger.error("a checkpoint that was not finished cannot be undone", { container: id, error }),
    );
  }
  for (const name of await restores.names()) if (!claimed.has(name)) await restores.discard(name);
}

interface RestoreDrivers {
  container: Pick<ContainerDrivers, "store" | "runtimes" | "logger"> & {
    sandboxes: { index: Pick<ContainerDrivers["sandboxes"]["index"], "current"> };
    monitor: Pick<ContainerDrivers["monitor"], "find" | "halt" | "forget">;
    processes: Pick<ContainerDrivers["processes"], "identify">;
    bundles: Pick<ContainerDrivers["bundles"], "path">;
    cgroups: Pick<ContainerDrivers["cgroups"], "killAll" | "removeMonitorGroup">;
    storage: Pick<ContainerDrivers["storage"], "unmountRootfs">;
    checkpoints: { restores: Pick<ContainerDrivers["checkpoints"]["restores"], "discard"> };
  };
  exits: Pick<ContainerExits, "watch">;
}

/**
 * A container that is yet to be restored waits on. One whose restore was under way when the daemon ended runs, if that came to its end
 * meanwhile; else what is at work on it is ended, and it has exited.
 */
export async function recoverRestore(drivers: RestoreDrivers, container: Container): Promise<void> {
  const { runtimes } = drivers.container;
  const state = await runtimes.get(container.runtimeHandler).state(container.id);
  if (state === undefined && container.restore?.begun !== true) return;
  const isRestored = state?.status === "running" && (await takeRestored(drivers, container, state.pid));
  if (!isRestored) await endRestore(drivers, container);
}

/** False when it ended, or its monitor did, which nobody could do without. */
async function takeRestored(
  { container: parts, exits }: RestoreDrivers,
  container: Container,
  pid: number,
): Promise<boolean> {
  const { store, monitor, processes, checkpoints } = parts;
  const { restore } = container;
  const process = processes.identify(pid);
  const watcher = await monitor.find(container.id, parts.bundles.path(container.id));
  if (process === undefined || watcher === undefined || restore?.parts === undefined) return false;
  const running = await store.update(container.id, (current) => ({
    ...withState(current, { kind: "running", startedAtNs: nowNs() }),
    process,
    monitor: watcher,
    restore: { checkpointedAtNs: restore.checkpointedAtNs },
  }));
  exits.watch(running ?? container);
  await checkpoints.restores.discard(restore.parts);
  return true;
}

async function endRestore(
  { container: parts }: Pick<RestoreDrivers, "container">,
  container: Container,
): Promise<void> {
  const { store, runtimes, cgroups, sandboxes, monitor, bundles, storage, logger } = parts;
  logger.warn("ending the restore of a container that was not finished", { container: container.id });
  await monitor.halt(container.id, bundles.path(container.id));
  // criu and the processes that it was making are in the container's group.
  await cgroups.killAll(container.cgroupsPath);
  await runtimes.get(container.runtimeHandler).delete(container.id, { force: true });
  await monitor.forget(container.id);
  await storage.unmountRootfs(container.id);
  const sandbox = sandboxes.index.current(container.sandboxId);
  if (sandbox !== undefined) await cgroups.removeMonitorGroup(sandbox.cgroupParent, container.id);
  const message = "the daemon ended while the container was restored";
  const exit = { exitCode: 128, finishedAtNs: nowNs(), reason: "StartError", message };
  await store.update(container.id, (current) => withState(current, { kind: "exited", startedAtNs: "0", exit }));
}
