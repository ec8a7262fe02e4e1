import { closeSync, fstatSync, statfsSync } from "node:fs";
import { isReadable, openPidfd } from "#kernel/epoll.ts";

const pidfsMagic = 0x50494446;

/** What identities by pidfd begin with; those by start time are digits. */
export const pidfdPrefix = "pidfd:";

/**
 * Identifies a live process without reading its /proc, as `pidfd:` and an inode: that number is not given twice while the machine
 * is up (pidfs, Linux 6.9). undefined when there is no such process or it has ended.
 * @throws Error when pidfds of this kernel have no number of their own
 */
export function pidfdIdentity(pid: number): string | undefined {
  const fd = openPidfd(pid);
  if (fd === undefined) return undefined;
  try {
    if (isReadable(fd)) return undefined;
    const { type } = statfsSync(`/proc/self/fd/${fd}`);
    if (type !== pidfsMagic) throw new Error("pidfds identify processes since Linux 6.9, and this is older");
    return `${pidfdPrefix}${fstatSync(fd, { bigint: true }).ino}`;
  } finally {
    closeSync(fd);
  }
}
