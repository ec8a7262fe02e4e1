import { randomUUID } from "node:crypto";
import { lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";

/**
 * Removes a directory and all below it, or a file; missing is fine. Follows no symlink. `path` must lie in a directory that is
 * swept after a crash: directories are moved up beside it and emptied there, so that a tree deeper than a path or a stack can say
 * is no problem. Synchronous: for workers.
 */
export function removeTree(path: string): void {
  const root = lstatSync(path, { throwIfNoEntry: false });
  if (root === undefined) return;
  if (!root.isDirectory()) {
    unlinkSync(path);
    return;
  }
  const pending = [path];
  // Unlike any name that an earlier daemon has left beside it.
  const besides = `${path}.${randomUUID()}`;
  let moved = 0;
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const prefix = Buffer.from(`${directory}/`);
    for (const entry of readdirSync(directory, { encoding: "buffer", withFileTypes: true })) {
      const child = Buffer.concat([prefix, entry.name]);
      if (!entry.isDirectory()) unlinkSync(child);
      else if (!removedEmpty(child)) {
        moved += 1;
        const beside = `${besides}.${moved}`;
        renameSync(child, beside);
        pending.push(beside);
      }
    }
    rmdirSync(directory);
  }
}

function removedEmpty(directory: Buffer): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}
