import { kindOf, messageOf, type ErrorKind } from "#errors/domain-error.ts";
import type { CodeName, GrpcFailure } from "./grpc/status-codes.ts";

/**
 * The one table from kinds of errors to gRPC codes. The last three are told by a word at the start of the message, which
 * the kubelet looks for, with the code Unknown.
 */
const codeNames: Readonly<Record<ErrorKind, CodeName>> = {
  "invalid-argument": "INVALID_ARGUMENT",
  "not-found": "NOT_FOUND",
  "already-exists": "ALREADY_EXISTS",
  "failed-precondition": "FAILED_PRECONDITION",
  "permission-denied": "PERMISSION_DENIED",
  unauthenticated: "UNAUTHENTICATED",
  "resource-exhausted": "RESOURCE_EXHAUSTED",
  unavailable: "UNAVAILABLE",
  unimplemented: "UNIMPLEMENTED",
  "deadline-exceeded": "DEADLINE_EXCEEDED",
  cancelled: "CANCELLED",
  aborted: "ABORTED",
  "data-loss": "DATA_LOSS",
  internal: "INTERNAL",
  "registry-unavailable": "UNKNOWN",
  "signature-validation-failed": "UNKNOWN",
  "image-volume-mount-failed": "UNKNOWN",
};

const kubeletWords: Partial<Readonly<Record<ErrorKind, string>>> = {
  "registry-unavailable": "RegistryUnavailable",
  "signature-validation-failed": "SignatureValidationFailed",
  "image-volume-mount-failed": "ImageVolumeMountFailed",
};

/**
 * HTTP/2 stacks limit the size of trailers, in which the message travels percent-encoded (up to nine characters for one);
 * a longer one would break the stream instead of telling what is wrong.
 */
const longestDetails = 4096;

/** The gRPC status of anything thrown. */
export function statusOf(error: unknown): GrpcFailure {
  const kind = kindOf(error);
  return { codeName: codeNames[kind], details: detailsOf(kind, messageOf(error)) };
}

function detailsOf(kind: ErrorKind, message: string): string {
  const word = kubeletWords[kind];
  const full = word === undefined || message.startsWith(word) ? message : `${word}: ${message}`;
  const short = full.length > longestDetails ? `${full.slice(0, longestDetails)}...` : full;
  // A lone surrogate, which a cut may leave, cannot be percent-encoded.
  return short.toWellFormed();
}
