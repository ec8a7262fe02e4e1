import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import { check, libc, SystemError } from "#kernel/libc.ts";

const openat2 = libc.func("long syscall(long number, int directory, const char *path, void *how, size_t size)") as (
  number: number,
  directory: number,
  path: string,
  how: Buffer,
  size: number,
) => number;
const mkdirat = libc.func("int mkdirat(int directory, const char *path, unsigned int mode)") as (
  directory: number,
  path: string,
  mode: number,
) => number;
const fchownCall = libc.func(
  "int fchownat(int directory, const char *path, unsigned int uid, unsigned int gid, int flags)",
) as (directory: number, path: string, uid: number, gid: number, flags: number) => number;

/** Each takes microseconds; one in thousands needs a second one. */
const mostAttempts = 1000;

export const OpenFlag = { readOnly: 0, directory: 0o200000, pathOnly: 0o10000000, closeOnExec: 0o2000000 } as const;

/**
 * Opens a path as if `root` were the root directory (openat2(2), RESOLVE_IN_ROOT): neither `..` nor a symlink in the tree leads out
 * of it, also while the tree changes. Undone by `closeSync(fd)`.
 * @throws SystemError
 */
export function openInRoot(root: string, file: string, flags: number): number {
  const rootFd = openSync(root, OpenFlag.directory | OpenFlag.closeOnExec);
  try {
    return openBelow(rootFd, file, flags);
  } finally {
    closeSync(rootFd);
  }
}

/** A rename or a mount anywhere on the machine while `..` is resolved makes the kernel refuse to say where that leads: it is asked again. */
function openBelow(rootFd: number, file: string, flags: number): number {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return tryToOpenBelow(rootFd, file, flags);
    } catch (error) {
      if (!hasErrno(error, "EAGAIN") || attempt === mostAttempts) throw error;
    }
  }
}

function tryToOpenBelow(rootFd: number, file: string, flags: number): number {
  const call = 437;
  const resolveInRoot = 0x10n;
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | OpenFlag.closeOnExec), 0);
  how.writeBigUInt64LE(resolveInRoot, 16);
  return check(openat2(call, rootFd, file, how, how.length), "openat2", file);
}

/**
 * Makes a directory and its parents inside `root` where they are missing; new ones belong to `owner`. Gives true when the path is a
 * directory at the end, false when something else is there.
 * @throws SystemError
 */
export function makeDirectoryInRoot(root: string, directory: string, owner: { uid: number; gid: number }): boolean {
  const rootFd = openSync(root, OpenFlag.directory | OpenFlag.closeOnExec);
  try {
    return makeBelow(rootFd, path.posix.join("/", directory), owner);
  } finally {
    closeSync(rootFd);
  }
}

function makeBelow(rootFd: number, directory: string, owner: { uid: number; gid: number }): boolean {
  const existing = tryOpenDirectory(rootFd, directory);
  if (existing === "other") return false;
  if (existing === "directory") return true;
  if (!makeBelow(rootFd, path.posix.dirname(directory), owner)) return false;
  const parent = openBelow(rootFd, path.posix.dirname(directory), OpenFlag.directory);
  try {
    const name = path.posix.basename(directory);
    check(mkdirat(parent, name, 0o755), "mkdirat", directory);
    check(fchownCall(parent, name, owner.uid, owner.gid, 0x100), "fchownat", directory);
    return true;
  } finally {
    closeSync(parent);
  }
}

function tryOpenDirectory(rootFd: number, directory: string): "directory" | "missing" | "other" {
  try {
    closeSync(openBelow(rootFd, directory, OpenFlag.directory));
    return "directory";
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOENT") return "missing";
    if (error instanceof SystemError && error.code === "ENOTDIR") return "other";
    throw error;
  }
}
