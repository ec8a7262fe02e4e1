import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { ConnectionFailure, failureReason } from "./http/failure.ts";
import { repositoryName } from "#spec/repository-name.ts";
import type { Endpoint } from "./endpoint.ts";

/** Hears that `repository` (with its registry) could not serve what was asked for. */
export type SkippedEndpoint = (repository: string, error: unknown) => void;

/**
 * Tries the endpoints in their order and returns the first success. When all fail, the error has the kind of the last,
 * which is the registry itself, and a message that says what failed where. Stops at once when the signal fires.
 * @param skipped is told of each failure that the next endpoint may make good
 */
export async function firstThatWorks<T>(
  endpoints: readonly Endpoint[],
  signal: AbortSignal,
  skipped: SkippedEndpoint,
  attempt: (endpoint: Endpoint, position: number) => Promise<T>,
): Promise<T> {
  const failures: { endpoint: Endpoint; error: unknown }[] = [];
  for (const [position, endpoint] of endpoints.entries()) {
    try {
      return await attempt(endpoint, position);
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push({ endpoint, error });
      if (position < endpoints.length - 1) skipped(repositoryName(endpoint.reference), error);
    }
  }
  throw combine(failures);
}

function combine(failures: readonly { endpoint: Endpoint; error: unknown }[]): unknown {
  const last = failures.at(-1)?.error;
  if (failures.length === 1) return last;
  const message = failures
    .map(({ endpoint, error }) => `at ${repositoryName(endpoint.reference)}: ${messageOf(error)}`)
    .join("; ");
  const kind = last instanceof ConnectionFailure ? "registry-unavailable" : kindOf(last);
  const facts = last instanceof DomainError ? last.facts : { reason: failureReason(last) };
  return new DomainError(kind, message, { facts, cause: new AggregateError(failures.map(({ error }) => error)) });
}
