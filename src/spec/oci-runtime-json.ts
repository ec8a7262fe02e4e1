import type { OciProcess, OciSpec } from "#spec/oci-runtime.ts";

declare global {
  interface JSON {
    /** ECMAScript 2025: text that JSON.stringify copies as it is. */
    rawJSON(text: string): object;
  }
}

/** RLIM_INFINITY as a JavaScript number; the true value, 2^64 - 1, is not one. */
export const rlimitUnlimited = 2 ** 64;

/**
 * JSON that an OCI runtime reads. Plain JSON.stringify writes an unlimited rlimit as 2^64, which does not fit the runtime's
 * unsigned 64 bits and makes it refuse the whole file.
 */
export function encodeOci(document: OciSpec | OciProcess): string {
  return JSON.stringify(document, (_, value: unknown) =>
    typeof value === "number" && value >= rlimitUnlimited ? JSON.rawJSON("18446744073709551615") : value,
  );
}
