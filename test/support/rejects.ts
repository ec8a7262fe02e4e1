import assert from "node:assert/strict";
import { CriCallError, type CodeName } from "#cri/client.ts";

/** Where any code will do: what matters are the words, and that nothing stays. */
export const anyFailure: readonly CodeName[] = [
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "FAILED_PRECONDITION",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "RESOURCE_EXHAUSTED",
  "PERMISSION_DENIED",
  "ABORTED",
];

/** Asserts that a call fails with this gRPC code and that the server's words match all patterns. */
export async function rejects(
  call: Promise<unknown>,
  code: CodeName | readonly CodeName[],
  ...words: RegExp[]
): Promise<void> {
  const codes = typeof code === "string" ? [code] : code;
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof CriCallError, `no answer of the daemon but ${String(error)}`);
    assert.ok(codes.includes(error.codeName), `expected ${codes.join(" or ")}, got ${error.message}`);
    for (const word of words) assert.match(error.details, word);
    return true;
  });
}
