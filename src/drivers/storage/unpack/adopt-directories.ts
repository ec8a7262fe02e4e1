import { chmodSync, closeSync, lchownSync, lstatSync, type BigIntStats } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { openDirectory, type ThreadRoot } from "#kernel/chroot.ts";
import { setTimes } from "#kernel/file-metadata.ts";
import { lstatOrNone } from "../tree/overlay-entry.ts";
import { systemPath } from "./entry-path.ts";

export interface AdoptRequest {
  /** The layer's root. */
  directory: string;
  /** The roots of the layers below, the nearest first. */
  lowerDirectories: string[];
  /** Directories (byte strings) that the layer needed and had no entry for. */
  paths: string[];
}

const nsPerSecond = 1_000_000_000n;

/**
 * Gives directories that a layer had no entry for the owner, mode and time that the layers below give them. Without this a layer
 * that holds only `tmp/file` would hide that /tmp is open to all.
 */
export function adoptDirectories(request: AdoptRequest, root: ThreadRoot): undefined {
  using descriptors = new DisposableStack();
  const open = (directory: string): number => descriptors.adopt(openDirectory(directory), closeSync);
  const own = open(request.directory);
  const lowers = request.lowerDirectories.map(open);
  for (const name of request.paths) {
    const path = systemPath(name);
    const found = findBelow(path, lowers, root);
    if (found !== undefined) root.inside(own, () => apply(path, found));
  }
}

/** What the nearest lower layer that knows the name has there, if it is a directory. */
function findBelow(path: string | Buffer, lowers: readonly number[], root: ThreadRoot): BigIntStats | undefined {
  for (const lower of lowers) {
    try {
      const stats = root.inside(lower, () => lstatSync(path, { bigint: true }));
      return stats.isDirectory() ? stats : undefined;
    } catch (error) {
      // Below a file or whiteout there is nothing that further layers could show.
      if (hasErrno(error, "ENOTDIR", "ELOOP")) return undefined;
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }
  return undefined;
}

function apply(path: string | Buffer, { uid, gid, mode, mtimeNs }: BigIntStats): void {
  // A later entry may have taken the place of the directory, or of a link that led to it.
  if (lstatOrNone(path)?.isDirectory() !== true) return;
  lchownSync(path, Number(uid), Number(gid));
  chmodSync(path, Number(mode & 0o7777n));
  const seconds = mtimeNs / nsPerSecond;
  setTimes(path, seconds, mtimeNs - seconds * nsPerSecond);
}
