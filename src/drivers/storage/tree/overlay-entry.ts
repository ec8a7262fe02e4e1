import { lstatSync, type Stats } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import type { PathBytes } from "#kernel/file-metadata.ts";

// One entry of a layer, as overlayfs sees it.

/** `undefined` when it is not there, or something above it is no directory. */
export function lstatOrNone(path: PathBytes): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** overlayfs marks a deleted name by a character device 0/0. */
export function isWhiteout(stats: Stats | undefined): boolean {
  return stats?.isCharacterDevice() === true && stats.rdev === 0;
}
