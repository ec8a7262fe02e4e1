import { settleAll } from "#lib/settle.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { withState } from "./container.ts";
import type { Container } from "./container.ts";

/** Removes an ended container and everything that was its own, the record last. The log stays: it is the kubelet's. */
export async function removeContainer(
  drivers: ContainerDrivers,
  exits: ContainerExits,
  container: Container,
): Promise<void> {
  const removing = await drivers.store.update(container.id, (current) =>
    withState(current, { ...ending(current), kind: "removing" }),
  );
  if (removing === undefined) return;
  await exits
    .cleaned(container)
    .catch(() => drivers.runtimes.get(container.runtimeHandler).delete(container.id, { force: true }));
  await releaseContainer(drivers, container);
  exits.forget(container.id);
  drivers.logger.info("container is removed", { container: container.id });
  drivers.publish("deleted", removing);
}

function ending(container: Container): {
  startedAtNs: string;
  exit: { exitCode: number; finishedAtNs: string; reason: string; message: string };
} {
  if (container.state.kind === "exited" || container.state.kind === "removing") return container.state;
  return { startedAtNs: "0", exit: { exitCode: 0, finishedAtNs: "0", reason: "", message: "" } };
}

/** Undoes whatever a container may have, also one that was half-made when the daemon died. */
export async function discardContainer(drivers: ContainerDrivers, container: Container): Promise<void> {
  // A monitor whose daemon died goes on, and would make the container after this.
  await drivers.monitor.halt(container.id, drivers.bundles.path(container.id));
  await drivers.runtimes.get(container.runtimeHandler).delete(container.id, { force: true });
  const sandbox = drivers.sandboxes.index.current(container.sandboxId);
  if (sandbox !== undefined) await drivers.cgroups.removeMonitorGroup(sandbox.cgroupParent, container.id);
  await releaseContainer(drivers, container);
}

async function releaseContainer(drivers: ContainerDrivers, container: Container): Promise<void> {
  await settleAll([
    drivers.storage.removeRootfs(container.id),
    drivers.imageVolumes.remove(container.id),
    drivers.bundles.remove(container.id),
    drivers.monitor.forget(container.id),
    container.restore?.parts === undefined ? undefined : drivers.checkpoints.restores.discard(container.restore.parts),
  ]);
  await drivers.store.delete(container.id);
}
