import { closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import type { Usage } from "../index.ts";

const bytesPerStatBlock = 512;
/** Below PATH_MAX, which paths that containers make can exceed. */
const longPathBytes = 3000;
/** More directories than this at the end of a long path are not looked into. */
const maxDescriptors = 256;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Disk usage of a directory and all below it, as du counts: allocated blocks, hard links once. Files that vanish meanwhile
 * count or not. Follows no symlink. Synchronous: for workers.
 */
export function measureTree(path: string): Usage {
  using descriptors = new Descriptors();
  const usage: Usage = { usedBytes: 0, inodesUsed: 0 };
  const linked = new Set<string>();
  const pending: Buffer[] = [];
  const count = (entry: Buffer): void => {
    const stats = lstatSync(entry, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isDirectory()) pending.push(entry);
    else if (stats.nlink > 1) {
      const inode = `${stats.dev}:${stats.ino}`;
      if (linked.has(inode)) return;
      linked.add(inode);
    }
    usage.usedBytes += stats.blocks * bytesPerStatBlock;
    usage.inodesUsed += 1;
  };
  count(Buffer.from(path));
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const child of childrenOf(directory, descriptors)) count(child);
  }
  return usage;
}

function childrenOf(directory: Buffer, descriptors: Descriptors): Buffer[] {
  try {
    const short = descriptors.shorten(directory);
    if (short === undefined) return [];
    const prefix = Buffer.concat([short, Buffer.from("/")]);
    return readdirSync(short, { encoding: "buffer" }).map((name) => Buffer.concat([prefix, name]));
  } catch (error) {
    // It has vanished.
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** Short names for directories with long paths: descriptors, which the kernel goes on from. */
class Descriptors {
  readonly #fds: number[] = [];

  shorten(path: Buffer): Buffer | undefined {
    if (path.length < longPathBytes) return path;
    if (this.#fds.length === maxDescriptors) return undefined;
    const fd = openSync(path, directoryFlags);
    this.#fds.push(fd);
    return Buffer.from(`/proc/thread-self/fd/${fd}`);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}
