import { DomainError } from "#errors/domain-error.ts";

// Checks of what the CRI requires of a request. `field` is the field's path as the proto file spells it.

/** An invalid-argument error about a field of the request. */
export function invalid(field: string, problem: string): DomainError {
  return new DomainError("invalid-argument", `${field} ${problem}`, { facts: { field } });
}

/** The value, or invalid-argument when it was not given. */
export function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw invalid(field, "is missing");
  return value;
}

/** The text, or invalid-argument when it is empty, which in the CRI means that it was not given. */
export function nonEmpty(value: string, field: string): string {
  if (value === "") throw invalid(field, "is missing");
  return value;
}

/** An absolute path of the host. */
export function absolutePath(path: string, field: string): string {
  if (!nonEmpty(path, field).startsWith("/")) throw invalid(field, `is not an absolute path: ${JSON.stringify(path)}`);
  return path;
}

/** An int64 that counts something, as a number. */
export function nonNegative(value: bigint, field: string): number {
  if (value < 0n) throw invalid(field, `is negative: ${value}`);
  return toNumber(value);
}

/**
 * An int64 or uint64 as a number. What is beyond 2^53, a limit of 9 petabytes or 285 years of microseconds, is as good as
 * 2^53 - 1.
 */
export function toNumber(value: bigint): number {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > most ? most : value < -most ? -most : value);
}

/** Largest id that the kernel can give: 2^32 - 1 stands for "none". */
const largestId = 2n ** 32n - 2n;

/** A user or group id. */
export function userOrGroupId(value: bigint, field: string): number {
  if (value < 0n || value > largestId) throw invalid(field, `is not a user or group id: ${value}`);
  return Number(value);
}
