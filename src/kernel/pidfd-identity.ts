import { closeSync, fstatSync } from "node:fs";
import { createEventfd, isReadable, openPidfd } from "#kernel/epoll.ts";

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
    const { dev, ino } = fstatSync(fd, { bigint: true });
    anonymousDevice ??= deviceOfEventfd();
    if (dev === anonymousDevice) throw new Error("pidfds identify processes since Linux 6.9, and this is older");
    return `${pidfdPrefix}${ino}`;
  } finally {
    closeSync(fd);
  }
}

let anonymousDevice: bigint | undefined;

/** Before there was pidfs, pidfds were on this device too, all with the same inode. A policy may forbid to ask for the kind. */
function deviceOfEventfd(): bigint {
  const fd = createEventfd();
  try {
    return fstatSync(fd, { bigint: true }).dev;
  } finally {
    closeSync(fd);
  }
}
