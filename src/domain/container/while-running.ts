import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";

/**
 * Work of the runtime in a running container. When the container ends under its hands, each runtime fails in words of its own, about
 * files in /proc for instance.
 * @throws DomainError failed-precondition then, and what `work` throws otherwise
 */
export async function whileRunning<T>(
  { processes }: Pick<ContainerDrivers, "processes">,
  { id, process }: Container,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (process === undefined || processes.isAlive(process)) throw error;
    throw new DomainError("failed-precondition", `container ${id} has ended meanwhile: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
