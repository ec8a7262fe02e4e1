import koffi from "koffi";
import { type CallDone, check, checkOffThread, libc } from "#kernel/libc.ts";

// What node:fs has no call for, or rounds: times in nanoseconds, device nodes, extended attributes.

/** A string is taken as UTF-8; a Buffer holds any bytes but NUL, as file names may. */
export type PathBytes = string | Buffer;

const mknodCall = libc.func("int mknod(const char *path, uint32_t mode, uint64_t device)") as (
  path: PathBytes,
  mode: number,
  device: bigint,
) => number;
const utimensat = libc.func("int utimensat(int directory, const char *path, const void *times, int flags)") as (
  directory: number,
  path: PathBytes,
  times: BigInt64Array,
  flags: number,
) => number;
const futimens = libc.func("int futimens(int fd, const void *times)") as (fd: number, times: BigInt64Array) => number;
const lsetxattr = libc.func(
  "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
) as (path: PathBytes, name: PathBytes, value: Uint8Array, size: number, flags: number) => number;
const lgetxattr = libc.func(
  "intptr_t lgetxattr(const char *path, const char *name, _Out_ void *value, size_t size)",
) as (path: PathBytes, name: PathBytes, value: Uint8Array, size: number) => number;
const llistxattr = libc.func("intptr_t llistxattr(const char *path, _Out_ void *list, size_t size)") as (
  path: PathBytes,
  list: Uint8Array,
  size: number,
) => number;
const umaskCall = libc.func("uint32_t umask(uint32_t mask)") as (mask: number) => number;
const syncfsCall = libc.func("int syncfs(int fd)") as { async: (fd: number, done: CallDone) => void };

const flockCall = libc.func("int flock(int fd, int operation)") as (fd: number, operation: number) => number;

const currentDirectory = -100;
const noFollow = 0x100;

/** File type bits of mknod(2). */
export const NodeType = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

/** @throws SystemError */
export function makeNode(path: PathBytes, mode: number, major = 0, minor = 0): void {
  check(mknodCall(terminated(path), mode, deviceNumber(major, minor)), "mknod", shown(path));
}

/** glibc's dev_t: the halves of both numbers interleaved (gnu_dev_makedev). */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/** Access and modification time as utimensat(2) reads them; reused, since it is filled before every call. */
const timespecs = new BigInt64Array(4);

function fillTimes(seconds: bigint, nanoseconds: bigint): BigInt64Array {
  timespecs[0] = seconds;
  timespecs[1] = nanoseconds;
  timespecs[2] = seconds;
  timespecs[3] = nanoseconds;
  return timespecs;
}

/** Sets access and modification time; follows no symlink. @throws SystemError */
export function setTimes(path: PathBytes, seconds: bigint, nanoseconds: bigint): void {
  check(
    utimensat(currentDirectory, terminated(path), fillTimes(seconds, nanoseconds), noFollow),
    "utimensat",
    shown(path),
  );
}

/** Sets access and modification time of an open file. @throws SystemError */
export function setTimesOfFile(fd: number, seconds: bigint, nanoseconds: bigint): void {
  check(futimens(fd, fillTimes(seconds, nanoseconds)), "futimens");
}

/** Follows no symlink. @throws SystemError */
export function setXattr(path: PathBytes, name: PathBytes, value: Uint8Array): void {
  check(lsetxattr(terminated(path), terminated(name), value, value.length, 0), "lsetxattr", shown(path));
}

/** Follows no symlink. @throws SystemError with ENODATA when the attribute is not set */
export function getXattr(path: PathBytes, name: PathBytes): Buffer {
  const sizeBytes = 65_536;
  const value = Buffer.alloc(sizeBytes);
  const length = check(lgetxattr(terminated(path), terminated(name), value, sizeBytes), "lgetxattr", shown(path));
  return value.subarray(0, length);
}

/** Names of all attributes; follows no symlink. @throws SystemError */
export function listXattrs(path: PathBytes): string[] {
  const sizeBytes = 65_536;
  const list = Buffer.alloc(sizeBytes);
  const length = check(llistxattr(terminated(path), list, sizeBytes), "llistxattr", shown(path));
  return list.toString("latin1", 0, length).split("\0").slice(0, -1);
}

/** umask(2); a thread that has not called `unshareFileSystemState` sets it for the whole process. Gives the old mask. */
export function setUmask(mask: number): number {
  return umaskCall(mask);
}

/** syncfs(2) on a thread of its own: all that was written to the file system of `fd` survives power loss. @throws SystemError */
export async function syncFileSystem(fd: number): Promise<void> {
  await checkOffThread((done) => syncfsCall.async(fd, done), "syncfs");
}

/** flock(2), exclusive, not waiting: `false` when another open file holds it. Undone by closing `fd`. @throws SystemError */
export function tryLockFile(fd: number): boolean {
  const [exclusive, nonBlocking] = [2, 4];
  if (flockCall(fd, exclusive | nonBlocking) === 0) return true;
  if (koffi.errno() === koffi.os.errno["EWOULDBLOCK"]) return false;
  check(-1, "flock");
  return false;
}

/** koffi ends strings with NUL, not Buffers. */
function terminated(path: PathBytes): PathBytes {
  return typeof path === "string" ? path : Buffer.concat([path, Buffer.of(0)]);
}

function shown(path: PathBytes): string {
  return typeof path === "string" ? path : path.toString();
}
