import { closeSync, constants, openSync } from "node:fs";

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Well below PATH_MAX, which paths that containers make can exceed. */
const longPathBytes = 3000;

/**
 * Gives `work` a short path to the same directory when `path` has grown long: through a descriptor, which the kernel follows
 * from there.
 */
export function withShortPath<T>(path: Buffer, work: (path: Buffer) => T): T {
  if (path.length < longPathBytes) return work(path);
  const fd = openSync(path, directoryFlags);
  try {
    return work(Buffer.from(`/proc/thread-self/fd/${fd}`));
  } finally {
    closeSync(fd);
  }
}

export function childPath(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}
