import { lstatSync, readdirSync, type Stats } from "node:fs";

/** What goes when a tree is removed. */
export interface TreeContent {
  inodes: number;
  directories: number;
  /** Of regular files, in whole blocks. */
  fileBytes: number;
}

const bytesPerStatBlock = 512;

/**
 * Counts a file, or a directory with all below it. Files that have names elsewhere too are left out, those with several names in the tree
 * count once. `onDirectory` is told of each directory. Follows no symlink. Synchronous: for workers.
 */
export function treeContent(
  path: string | Buffer,
  blockBytes: number,
  onDirectory: (path: Buffer) => void,
): TreeContent {
  const content: TreeContent = { inodes: 0, directories: 0, fileBytes: 0 };
  /** Names not seen yet of files with several. */
  const namesLeft = new Map<number, number>();
  const pending: Buffer[] = [];
  const count = (entry: Buffer): void => {
    const stats = lstatSync(entry);
    if (stats.isDirectory()) {
      content.directories += 1;
      onDirectory(entry);
      pending.push(entry);
    } else if (stats.nlink > 1) {
      const left = (namesLeft.get(stats.ino) ?? stats.nlink) - 1;
      namesLeft.set(stats.ino, left);
      if (left > 0) return;
    }
    content.inodes += 1;
    if (stats.isFile()) content.fileBytes += fileBytes(stats, blockBytes);
  };
  count(Buffer.from(path));
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const prefix = Buffer.concat([directory, Buffer.from("/")]);
    for (const name of readdirSync(directory, { encoding: "buffer" })) count(Buffer.concat([prefix, name]));
  }
  return content;
}

/** A sparse file has fewer blocks than its size says; a file system may give others more than they need. */
function fileBytes({ size, blocks }: Stats, blockBytes: number): number {
  return Math.ceil(Math.min(size, blocks * bytesPerStatBlock) / blockBytes) * blockBytes;
}
