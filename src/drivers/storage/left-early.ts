import { DomainError } from "#errors/domain-error.ts";

/** What a caller gets whose signal has fired: the signal's reason when that says what happened, else that the download was cancelled. */
export function leftEarly({ reason }: AbortSignal): DomainError {
  return reason instanceof DomainError ? reason : new DomainError("cancelled", "the download was cancelled");
}
