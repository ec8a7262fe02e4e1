import { readdirSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { childPath, withShortPath } from "./open-tree.ts";

/** Removes a directory and all below it, mounts excepted; missing is fine. Follows no symlink. Synchronous: for workers. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasErrno(error, "ENAMETOOLONG")) throw error;
    removeDeep(Buffer.from(path));
  }
}

/** Slower, for trees deeper than a path can say. */
function removeDeep(path: Buffer): void {
  withShortPath(path, (directory) => {
    for (const entry of readdirSync(directory, { encoding: "buffer", withFileTypes: true })) {
      const child = childPath(directory, entry.name);
      if (entry.isDirectory()) removeDeep(child);
      else unlinkSync(child);
    }
  });
  rmdirSync(path);
}
