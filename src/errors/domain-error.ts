/**
 * What went wrong, in the words of the domain. The edge maps each kind to one gRPC code (`cri/status.ts`); nothing else
 * in berth chooses a code. The last three are words that the kubelet recognises at the start of a message.
 */
export type ErrorKind =
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "failed-precondition"
  | "permission-denied"
  | "unauthenticated"
  | "resource-exhausted"
  | "unavailable"
  | "unimplemented"
  | "deadline-exceeded"
  | "cancelled"
  | "aborted"
  | "data-loss"
  | "internal"
  | "registry-unavailable"
  | "signature-validation-failed"
  | "image-volume-mount-failed";

/** Machine-readable details of a failure: ids, paths, argv, exit codes, the last lines of stderr. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/**
 * The one error type that crosses folders. `message` is a sentence that names the object, the step and the cause, fit
 * to be read by an operator; `facts` carry the same for programs and logs; `cause` keeps the first error.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly kind: ErrorKind;
  readonly facts: ErrorFacts;

  constructor(kind: ErrorKind, message: string, options: { facts?: ErrorFacts; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.facts = options.facts ?? {};
  }
}

/** The message of anything thrown, with the messages of its causes, for use inside another sentence. */
export function messageOf(error: unknown): string {
  if (error instanceof SuppressedError)
    return `${messageOf(error.suppressed)}; then, while undoing: ${messageOf(error.error)}`;
  if (error instanceof AggregateError)
    return [error.message, ...error.errors.map(messageOf)].filter(Boolean).join("; ");
  if (error instanceof Error) return error.message;
  return String(error);
}

/**
 * The `DomainError` kind of anything thrown; what is not a `DomainError` is a bug or an untranslated failure: internal. Of steps that failed side
 * by side the first that says more than that: a label that the policy does not know also makes the mount fail, for no reason of its own.
 */
export function kindOf(error: unknown): ErrorKind {
  if (error instanceof DomainError) return error.kind;
  if (error instanceof SuppressedError) return kindOf(error.suppressed);
  if (error instanceof AggregateError)
    return error.errors.map(kindOf).find((kind) => kind !== "internal") ?? "internal";
  return "internal";
}

/** True when `error` is a Node or kernel error with this errno name (`ENOENT`, `EBUSY`, ...). */
export function hasErrno(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && names.includes(error.code);
}
