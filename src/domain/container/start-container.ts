import { DomainError, messageOf } from "#errors/domain-error.ts";
import { nowNs } from "#lib/clock.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { withState } from "./container.ts";
import type { Container } from "./container.ts";

/**
 * Starts the waiting process of a created container. One that cannot be started has exited afterwards, with the reason in its status.
 * @throws DomainError failed-precondition unless the container is created
 */
export async function startContainer(
  drivers: ContainerDrivers,
  exits: ContainerExits,
  container: Container,
): Promise<void> {
  const { store, runtimes, sandboxes } = drivers;
  if (container.state.kind !== "created") {
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} is ${container.state.kind}, only a created one can be started`,
    );
  }
  if (sandboxes.index.current(container.sandboxId)?.state.kind !== "ready") {
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} cannot be started: its pod sandbox ${container.sandboxId} is not ready`,
    );
  }
  const startedAtNs = nowNs();
  store.adopt({ ...container, state: { kind: "created", startingAtNs: startedAtNs } });
  exits.watch(container);
  try {
    await runtimes.get(container.runtimeHandler).start(container.id);
  } catch (error) {
    await recordStartError(drivers, container, error);
    throw error;
  }
  // A short-lived process may have ended, and its end been recorded, before the runtime's `start` returned.
  const started = await store.update(container.id, (current) =>
    current.state.kind === "created" ? withState(current, { kind: "running", startedAtNs }) : undefined,
  );
  drivers.logger.info("container is started", { container: container.id });
  drivers.publish("started", started ?? container);
}

async function recordStartError(drivers: ContainerDrivers, container: Container, error: unknown): Promise<void> {
  const exit = { exitCode: 128, finishedAtNs: nowNs(), reason: "StartError", message: messageOf(error) };
  const ended = await drivers.store.update(container.id, (current) =>
    current.state.kind === "created" ? withState(current, { kind: "exited", startedAtNs: "0", exit }) : undefined,
  );
  await drivers.runtimes
    .get(container.runtimeHandler)
    .delete(container.id, { force: true })
    .catch((deleteError: unknown) =>
      drivers.logger.warn("cannot delete a container that did not start", {
        container: container.id,
        error: deleteError,
      }),
    );
  if (ended !== undefined) drivers.publish("stopped", ended);
}
