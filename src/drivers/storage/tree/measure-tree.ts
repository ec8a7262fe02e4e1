import { lstatSync, readdirSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import type { Usage } from "../index.ts";
import { childPath, withShortPath } from "./open-tree.ts";

const bytesPerStatBlock = 512;

/**
 * Disk usage of a directory and all below it, as du counts: allocated blocks, hard links once. Files that vanish meanwhile
 * count or not. Follows no symlink. Synchronous: for workers.
 */
export function measureTree(path: string): Usage {
  const usage: Usage = { usedBytes: 0, inodesUsed: 0 };
  const linked = new Set<string>();
  const add = (entry: Buffer): boolean => {
    const stats = lstatSync(entry, { throwIfNoEntry: false });
    if (stats === undefined) return false;
    if (!stats.isDirectory() && stats.nlink > 1) {
      const inode = `${stats.dev}:${stats.ino}`;
      if (linked.has(inode)) return false;
      linked.add(inode);
    }
    usage.usedBytes += stats.blocks * bytesPerStatBlock;
    usage.inodesUsed += 1;
    return stats.isDirectory();
  };
  const walk = (path: Buffer): void => {
    ignoringVanished(() =>
      withShortPath(path, (directory) => {
        for (const name of readdirSync(directory, { encoding: "buffer" })) {
          const child = childPath(directory, name);
          if (add(child)) walk(child);
        }
      }),
    );
  };
  const root = Buffer.from(path);
  if (add(root)) walk(root);
  return usage;
}

function ignoringVanished(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
  }
}
