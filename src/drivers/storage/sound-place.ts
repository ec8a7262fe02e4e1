import { DomainError } from "#errors/domain-error.ts";
import type { LayerSource } from "./index.ts";

/** That what came of `subject` is not what its digest and size say. */
export function wrongContent(subject: string, reason: string, cause?: unknown): DomainError {
  return new DomainError("data-loss", `${subject}: ${reason}`, { facts: { wrongContent: reason }, cause });
}

/** Whether `wrongContent` made the error; other losses are the disk's. */
export function isWrongContent(error: unknown): boolean {
  return reasonOf(error) !== undefined;
}

/** Runs `attempt`, and again as long as it gets wrong content and the source has another place. @throws what the last attempt did, or the source */
export async function fromSoundPlace<T>(
  source: LayerSource,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined || source.reject === undefined || signal.aborted) throw error;
      source.reject(reason);
    }
  }
}

function reasonOf(error: unknown): string | undefined {
  const reason = error instanceof DomainError ? error.facts["wrongContent"] : undefined;
  return typeof reason === "string" ? reason : undefined;
}
