import { messageOf } from "#errors/domain-error.ts";

/** How an exec or attach session came out. */
export type Outcome =
  | { readonly kind: "success" }
  | { readonly kind: "exit-code"; readonly exitCode: number }
  | { readonly kind: "error"; readonly message: string };

/** Clients read the code into one byte and fail on anything else, so what does not fit becomes 255. */
export function outcomeOfExitCode(exitCode: number): Outcome {
  if (exitCode === 0) return { kind: "success" };
  return { kind: "exit-code", exitCode: exitCode > 0 && exitCode <= 255 ? exitCode : 255 };
}

export function outcomeOfError(doing: string, error: unknown): Outcome {
  return { kind: "error", message: `${doing}: ${messageOf(error)}` };
}

/**
 * What the error stream carries: since protocol v4 a `metav1.Status` in JSON, whose details give the exit code; before
 * that plain text, and nothing at all after success.
 */
export function renderOutcome(outcome: Outcome, asJson: boolean): string {
  if (asJson) return JSON.stringify(statusOf(outcome));
  return outcome.kind === "success" ? "" : messageOfOutcome(outcome);
}

function statusOf(outcome: Outcome): object {
  if (outcome.kind === "success") return { metadata: {}, status: "Success" };
  const failure = { metadata: {}, status: "Failure", message: messageOfOutcome(outcome) };
  if (outcome.kind === "error") return { ...failure, reason: "InternalError", code: 500 };
  const causes = [{ reason: "ExitCode", message: String(outcome.exitCode) }];
  return { ...failure, reason: "NonZeroExitCode", details: { causes } };
}

function messageOfOutcome(outcome: Exclude<Outcome, { kind: "success" }>): string {
  return outcome.kind === "error"
    ? `Internal error occurred: ${outcome.message}`
    : `command terminated with non-zero exit code: exit status ${outcome.exitCode}`;
}
