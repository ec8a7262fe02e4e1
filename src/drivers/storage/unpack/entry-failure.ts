import { statfsSync } from "node:fs";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { textOf } from "../tar/entry.ts";

const noSpace = ["ENOSPC", "EDQUOT"];
/** What a file system answers to a name, target or size that it cannot hold. */
const badEntry = [
  "ENAMETOOLONG",
  "ENOTDIR",
  "EISDIR",
  "ELOOP",
  "EINVAL",
  "EMLINK",
  "EFBIG",
  "EPERM",
  "ENOENT",
  "EEXIST",
  "ERANGE",
];

/** Translates the failure of a file system call that placed an entry; called while the layer's file system is reachable as `.`. */
export function entryFailure(path: string, error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const name = path === "" ? "/" : textOf(path);
  if (hasErrno(error, ...noSpace)) {
    return new DomainError("resource-exhausted", `${name}: ${messageOf(error)}${freeSpace()}`, { cause: error });
  }
  const kind = hasErrno(error, ...badEntry) ? "invalid-argument" : "internal";
  return new DomainError(kind, `${name}: ${messageOf(error)}`, { cause: error });
}

function freeSpace(): string {
  try {
    const { bavail, bsize, ffree } = statfsSync(".");
    return `; ${bavail * bsize} bytes and ${ffree} inodes are free there`;
  } catch {
    return "";
  }
}
