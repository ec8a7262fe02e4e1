import { closeSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";

const pipe2 = libc.func("int pipe2(void *fds, int flags)") as (fds: Buffer, flags: number) => number;
const fcntl = libc.func("int fcntl(int fd, int command, int argument)") as (
  fd: number,
  command: number,
  argument: number,
) => number;

const setStatusFlags = 4;
const nonBlocking = 0o4000;

/**
 * A pipe whose ends are not inherited. The caller closes both ends, each when its user is done.
 * @throws SystemError
 */
export function pipe(options: { readsWithoutWaiting?: boolean } = {}): { readFd: number; writeFd: number } {
  const closeOnExec = 0o2000000;
  const fds = Buffer.alloc(8);
  check(pipe2(fds, closeOnExec), "pipe2");
  const ends = { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
  if (options.readsWithoutWaiting !== true) return ends;
  try {
    check(fcntl(ends.readFd, setStatusFlags, nonBlocking), "fcntl");
    return ends;
  } catch (error) {
    for (const fd of Object.values(ends)) closeSync(fd);
    throw error;
  }
}
