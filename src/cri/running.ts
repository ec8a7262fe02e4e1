import { isRunning, type Container } from "#domain/container/container.ts";
import type { Runtime } from "#domain/runtime.ts";
import { DomainError } from "#errors/domain-error.ts";

/**
 * The container, which has to run for what is asked: exec and attach then fail with a reason, not with a URL.
 * @throws DomainError not-found, failed-precondition
 */
export function runningContainer({ containers }: Runtime, id: string, purpose: string): Container {
  const container = containers.get(id);
  if (isRunning(container)) return container;
  throw new DomainError(
    "failed-precondition",
    `container ${container.id} is ${container.state.kind}; ${purpose} needs a running one`,
  );
}
