import { DomainError, type ErrorFacts, type ErrorKind, hasErrno, kindOf, messageOf } from "#errors/domain-error.ts";

/** Label of the metric that counts failed pulls: a registry's error code or one of these words. */
export type FailureReason = "CONNECTION_REFUSED" | "CONNECTION_TIMEOUT" | "NOT_FOUND" | "UNKNOWN";

/** The first words by which the kubelet recognises that the registry, not the image, is at fault. */
const unavailablePrefix = "RegistryUnavailable: ";

/**
 * A connection that could not be made or broke: refused, reset, TLS, no such host, time-out. Thrown where the connection
 * is used; `transient` says that trying again at once may help.
 */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  readonly reason: FailureReason;
  readonly transient: boolean;

  constructor(message: string, options: { reason?: FailureReason; transient?: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason ?? reasonOf(options.cause);
    this.transient = options.transient ?? hasErrno(options.cause, "ECONNRESET", "EPIPE", "ECONNABORTED");
  }
}

/** The failure of `request` (method and URL) with what Node threw. */
export function connectionFailure(request: string, error: unknown): ConnectionFailure | DomainError {
  if (error instanceof ConnectionFailure || error instanceof DomainError) return error;
  return new ConnectionFailure(`${request}: ${describe(error)}`, { cause: error });
}

/** What to throw when `signal` has fired: its reason when that is a DomainError, else one of the matching kind. */
export function abortError(signal: AbortSignal, during: string): DomainError {
  const reason: unknown = signal.reason;
  if (reason instanceof DomainError) return reason;
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  const kind: ErrorKind = timedOut ? "deadline-exceeded" : "cancelled";
  const facts = { reason: timedOut ? "CONNECTION_TIMEOUT" : "UNKNOWN" };
  return new DomainError(kind, `${during}: ${timedOut ? "the deadline passed" : "cancelled"}`, {
    facts,
    cause: reason,
  });
}

/**
 * The error a caller of the driver sees: `step` goes before the message, a broken connection becomes
 * registry-unavailable, and that kind's message begins with the word that the kubelet looks for.
 */
export function pullFailure(step: string, error: unknown, facts: ErrorFacts): DomainError {
  const kind = error instanceof ConnectionFailure ? "registry-unavailable" : kindOf(error);
  const inner = error instanceof DomainError ? error.facts : { reason: failureReason(error) };
  const bare = messageOf(error).replace(unavailablePrefix, "");
  const prefix = kind === "registry-unavailable" ? unavailablePrefix : "";
  return new DomainError(kind, `${prefix}${step}: ${bare}`, {
    facts: { reason: "UNKNOWN", ...inner, ...facts },
    cause: error,
  });
}

/** The metric label of anything thrown by this driver. */
export function failureReason(error: unknown): string {
  if (error instanceof ConnectionFailure) return error.reason;
  const reason = error instanceof DomainError ? error.facts["reason"] : undefined;
  return typeof reason === "string" ? reason : "UNKNOWN";
}

function reasonOf(error: unknown): FailureReason {
  if (hasErrno(error, "ECONNREFUSED")) return "CONNECTION_REFUSED";
  if (hasErrno(error, "ETIMEDOUT")) return "CONNECTION_TIMEOUT";
  return "UNKNOWN";
}

/** Node's connection errors have their code apart from a message that may be empty (several addresses tried). */
function describe(error: unknown): string {
  const message = messageOf(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return message.includes(code) ? message : `${message} (${code})`;
}
