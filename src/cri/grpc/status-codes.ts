/** The status codes of gRPC, by the names that its specification gives them. */
export const statusCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** Name of a gRPC status code. */
export type CodeName = keyof typeof statusCodes;

const names = new Map<number, CodeName>(
  Object.entries(statusCodes).map(([name, code]) => [code, name as CodeName] as const),
);

/** The name of a code that came over the wire; UNKNOWN for one that the specification does not have. */
export function codeNameOf(code: number): CodeName {
  return names.get(code) ?? "UNKNOWN";
}

/** What a call ends with when it did not succeed. */
export interface GrpcFailure {
  readonly codeName: CodeName;
  /** For people; without the code. */
  readonly details: string;
}
