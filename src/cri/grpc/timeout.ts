import { DomainError } from "#errors/domain-error.ts";

const millisecondsPerUnit: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/**
 * The milliseconds of a `grpc-timeout` header, at most eight digits and a unit.
 * @throws DomainError internal for anything else, as the gRPC specification wants it
 */
export function parseTimeoutMs(header: string): number {
  const unit = millisecondsPerUnit[header.slice(-1)];
  const digits = header.slice(0, -1);
  if (unit === undefined || !/^\d{1,8}$/.test(digits)) {
    throw new DomainError("internal", `the header grpc-timeout is malformed: ${JSON.stringify(header)}`);
  }
  return Number(digits) * unit;
}

/** The `grpc-timeout` header for so many milliseconds, in the finest unit that takes it, rounded up. */
export function formatTimeout(timeoutMs: number): string {
  const atLeastMs = Math.max(1, Math.ceil(timeoutMs));
  return atLeastMs < 1e8 ? `${atLeastMs}m` : `${Math.min(99_999_999, Math.ceil(atLeastMs / 1000))}S`;
}
