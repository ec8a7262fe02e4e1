import { DomainError } from "#errors/domain-error.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";
import { isPaused, isRunning, withState } from "./container.ts";

/**
 * Freezes all processes of a container until `unpauseContainer`. The CRI does not know the state: it stays "running" there.
 * @throws DomainError failed-precondition unless it runs and is not paused
 */
export async function pauseContainer(drivers: ContainerDrivers, container: Container): Promise<void> {
  if (!isRunning(container) || isPaused(container)) throw wrongState(container, "only a running one can be paused");
  await drivers.runtimes.get(container.runtimeHandler).pause(container.id);
  await recordPaused(drivers, container, true);
}

/** @throws DomainError failed-precondition unless it is paused */
export async function unpauseContainer(drivers: ContainerDrivers, container: Container): Promise<void> {
  if (!isPaused(container)) throw wrongState(container, "only a paused one can be unpaused");
  await drivers.runtimes.get(container.runtimeHandler).resume(container.id);
  await recordPaused(drivers, container, false);
}

async function recordPaused(drivers: ContainerDrivers, container: Container, paused: boolean): Promise<void> {
  await drivers.store.update(container.id, (current) =>
    current.state.kind === "running"
      ? withState(current, {
          kind: "running",
          startedAtNs: current.state.startedAtNs,
          ...(paused ? { paused: true } : {}),
        })
      : undefined,
  );
}

function wrongState(container: Container, rule: string): DomainError {
  const state = isPaused(container) ? "paused" : container.state.kind;
  return new DomainError("failed-precondition", `container ${container.id} is ${state}: ${rule}`);
}
