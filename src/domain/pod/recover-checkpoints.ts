import { thaw } from "#domain/container/checkpoint/freeze.ts";
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

/** A container that is yet to be restored waits on, unless the daemon ended while that was under way. */
export async function recoverRestore({ container: parts }: PodDrivers, container: Container): Promise<void> {
  const { store, runtimes, cgroups, sandboxes } = parts;
  const runtime = runtimes.get(container.runtimeHandler);
  if ((await runtime.state(container.id)) === undefined) return;
  await runtime.delete(container.id, { force: true });
  const sandbox = sandboxes.index.current(container.sandboxId);
  if (sandbox !== undefined) await cgroups.removeMonitorGroup(sandbox.cgroupParent, container.id);
  const message = "the daemon ended while the container was restored";
  const exit = { exitCode: 128, finishedAtNs: nowNs(), reason: "StartError", message };
  await store.update(container.id, (current) => withState(current, { kind: "exited", startedAtNs: "0", exit }));
}
