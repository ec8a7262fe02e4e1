import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { ConnectionFailure, failureReason } from "./http/failure.ts";
import { repositoryName } from "#spec/repository-name.ts";
import type { Endpoint } from "./endpoint.ts";

/** What was wrong at a place. */
export interface PlaceFailure {
  /** Its name of the repository, with its registry. */
  place: string;
  error: unknown;
}

/** Hears that `repository` (with its registry) could not serve what was asked for. */
export type SkippedEndpoint = (repository: string, error: unknown) => void;

/**
 * Tries the endpoints in their order and returns the first success. When all fail, the error has the kind of the last,
 * which is the registry itself, and a message that says what failed where. Stops at once when the signal fires.
 * @param skipped is told of each failure that the next endpoint may make good
 * @param earlier what was wrong at places that are not asked any more, for the message
 */
export async function firstThatWorks<T>(
  endpoints: readonly Endpoint[],
  signal: AbortSignal,
  skipped: SkippedEndpoint,
  attempt: (endpoint: Endpoint, position: number) => Promise<T>,
  earlier: readonly PlaceFailure[] = [],
): Promise<T> {
  const failures: PlaceFailure[] = [];
  for (const [position, endpoint] of endpoints.entries()) {
    try {
      return await attempt(endpoint, position);
    } catch (error) {
      if (signal.aborted) throw error;
      const place = repositoryName(endpoint.reference);
      failures.push({ place, error });
      if (position < endpoints.length - 1) skipped(place, error);
    }
  }
  throw combine([...earlier, ...failures]);
}

function combine(failures: readonly PlaceFailure[]): unknown {
  const last = failures.at(-1)?.error;
  if (failures.length === 1) return last;
  const message = describeFailures(failures);
  const kind = last instanceof ConnectionFailure ? "registry-unavailable" : kindOf(last);
  const facts = last instanceof DomainError ? last.facts : { reason: failureReason(last) };
  return new DomainError(kind, message, { facts, cause: new AggregateError(failures.map(({ error }) => error)) });
}

/** Says of each place what was wrong there. */
export function describeFailures(failures: readonly PlaceFailure[]): string {
  return failures.map(({ place, error }) => `at ${place}: ${messageOf(error)}`).join("; ");
}
