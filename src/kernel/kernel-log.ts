import { libc } from "#kernel/libc.ts";

const klogctl = libc.func("int klogctl(int type, void *buffer, int size)") as (
  type: number,
  buffer: Buffer,
  size: number,
) => number;

/**
 * The last messages of the kernel's log (syslog(2)), at most `limitBytes` of them and from the start of a line; empty where this process
 * may not read it. Takes a millisecond or two.
 */
export function kernelLogTail(limitBytes = 256 << 10): string {
  const readAll = 3;
  const buffer = Buffer.alloc(limitBytes);
  const length = klogctl(readAll, buffer, buffer.length);
  return length <= 0 ? "" : buffer.toString("utf8", 0, length);
}
