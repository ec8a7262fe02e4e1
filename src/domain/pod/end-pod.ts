import { settleAll } from "#lib/settle.ts";
import { removeContainer } from "#domain/container/remove-container.ts";
import type { Container } from "#domain/container/container.ts";
import { removeSandbox, stopSandbox } from "#domain/sandbox/end-sandbox.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** Longest grace of containers that StopPodSandbox has to end: the CRI says "forcibly", so whoever wants more stops them first. */
export const defaultPodGraceMs = 10_000;

/**
 * Stops all containers of a pod at the same time, then takes the sandbox out of service. No container can be made in it from the first moment
 * on.
 */
export async function stopPod(drivers: PodDrivers, sandbox: Sandbox, graceMs: number): Promise<Sandbox> {
  if (sandbox.state.kind === "stopped") return sandbox;
  const stopping = await drivers.sandbox.store.transition(sandbox, { kind: "stopping" });
  await drivers.creations.settled(sandbox.id);
  await stopContainers(drivers, stopping, graceMs);
  const stopped = await stopSandbox(drivers.sandbox, stopping);
  drivers.logger.info("pod sandbox is stopped", { sandbox: sandbox.id });
  drivers.publishSandbox("stopped", stopped);
  return stopped;
}

async function stopContainers(drivers: PodDrivers, sandbox: Sandbox, graceMs: number): Promise<void> {
  const containers = drivers.container.store.index.ofSandbox(sandbox.id);
  await settleAll(containers.map((container) => drivers.stops.stop(container, graceMs)));
}

/** Removes a pod with everything in it; one that still runs is killed first. */
export async function removePod(drivers: PodDrivers, sandbox: Sandbox): Promise<void> {
  const stopped = sandbox.state.kind === "removing" ? sandbox : await stopPod(drivers, sandbox, 0);
  await settleAll(
    drivers.container.store.index.ofSandbox(sandbox.id).map((container) => removeOne(drivers, container)),
  );
  await removeSandbox(drivers.sandbox, stopped);
  drivers.logger.info("pod sandbox is removed", { sandbox: sandbox.id });
  drivers.publishSandbox("deleted", stopped);
}

/** Kills a container if need be, and removes it. */
export async function removeOne(drivers: PodDrivers, container: Container): Promise<void> {
  await drivers.stops.stop(container, 0);
  await removeContainer(drivers.container, drivers.exits, container);
}
