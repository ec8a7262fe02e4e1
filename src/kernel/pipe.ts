import { check, libc } from "#kernel/libc.ts";

const pipe2 = libc.func("int pipe2(void *fds, int flags)") as (fds: Buffer, flags: number) => number;

/** A pipe whose ends are not inherited. The caller closes both ends, each when its user is done. */
export function pipe(): { readFd: number; writeFd: number } {
  const closeOnExec = 0o2000000;
  const fds = Buffer.alloc(8);
  check(pipe2(fds, closeOnExec), "pipe2");
  return { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
}
