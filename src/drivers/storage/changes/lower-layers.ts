import { readdirSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { getXattr } from "#kernel/file-metadata.ts";
import { isWhiteout, lstatOrNone } from "../tree/overlay-entry.ts";
import { systemPath } from "../unpack/entry-path.ts";

// What an overlay's lower layers show together in one directory. Paths and names are byte strings.

/** The directories of the lower layers that one directory of the overlay is merged of, the nearest layer first. */
export type LowerDirectories = readonly string[];

/** What `name` in a merged directory is merged of; empty when it is no directory there, or is not there. */
export function below(directories: LowerDirectories, name: string): LowerDirectories {
  const found: string[] = [];
  for (const directory of directories) {
    const path = `${directory}/${name}`;
    const stats = lstatOrNone(systemPath(path));
    if (stats === undefined) continue;
    if (!stats.isDirectory()) break;
    found.push(path);
    if (isOpaque(path)) break;
  }
  return found;
}

/** All names that a merged directory shows. */
export function namesIn(directories: LowerDirectories): string[] {
  const names = new Map<string, "shown" | "hidden">();
  for (const directory of directories) {
    for (const entry of readdirSync(systemPath(directory), { encoding: "buffer", withFileTypes: true })) {
      const name = entry.name.toString("latin1");
      if (names.has(name)) continue;
      const hidden = entry.isCharacterDevice() && isWhiteout(lstatOrNone(systemPath(`${directory}/${name}`)));
      names.set(name, hidden ? "hidden" : "shown");
    }
  }
  return [...names].filter(([, how]) => how === "shown").map(([name]) => name);
}

/** True for a directory that hides what lower layers have in its place. */
export function isOpaque(path: string): boolean {
  return overlayAttribute(path, "opaque")?.toString("latin1") === "y";
}

/** True for a directory that was renamed and shows what lower layers have elsewhere. */
export function isRedirected(path: string): boolean {
  return overlayAttribute(path, "redirect") !== undefined;
}

function overlayAttribute(path: string, name: string): Buffer | undefined {
  try {
    return getXattr(systemPath(path), `trusted.overlay.${name}`);
  } catch (error) {
    if (hasErrno(error, "ENODATA", "ENOTSUP", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}
