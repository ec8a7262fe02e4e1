import type { ContainerDrivers } from "../container-drivers.ts";
import { isPaused } from "../container.ts";
import type { Container } from "../container.ts";

type FreezeDrivers = Pick<ContainerDrivers, "store" | "runtimes">;

/** Does `work` while no process of a container runs. One that somebody has paused stays paused. */
export async function whileFrozen(
  drivers: FreezeDrivers,
  container: Container,
  work: () => Promise<void>,
): Promise<void> {
  if (isPaused(container)) return work();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => thaw(drivers, container));
  await drivers.runtimes.get(container.runtimeHandler).pause(container.id);
  await work();
}

/** Lets a container run on unless it does, has ended, or is paused by somebody's wish. */
export async function thaw(drivers: FreezeDrivers, container: Container): Promise<void> {
  const now = drivers.store.index.current(container.id);
  if (now === undefined || isPaused(now)) return;
  const runtime = drivers.runtimes.get(container.runtimeHandler);
  // A criu that was killed has thawed it already, and the runtime refuses to do it twice.
  if ((await runtime.state(container.id))?.status === "paused") await runtime.resume(container.id);
}
