import path from "node:path";
import { isMissing, makeGroups, removeEmptyTree, removeIfEmpty } from "./group-files.ts";
import { groupDirectories } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { CgroupParents } from "./index.ts";

/** Parents by path: a group in each hierarchy. */
export function parentGroups(hierarchy: Hierarchy): CgroupParents {
  return {
    lineage,

    missingParent(parent) {
      // From below: for each pod the kubelet has made all of them, and one look tells.
      const fromBelow = lineage(parent).reverse();
      const lowestThere = fromBelow.findIndex((group) => !groupDirectories(hierarchy, group).some(isMissing));
      return (lowestThere === -1 ? fromBelow : fromBelow.slice(0, lowestThere)).at(-1);
    },

    async createParent(parent) {
      const mountPoints = groupDirectories(hierarchy, "/");
      await Promise.all(mountPoints.map((mountPoint) => makeGroups(mountPoint, parent, hierarchy.version)));
    },

    async removeParent(parent, uppermost, kept) {
      const [own, ...above] = fromLeaf(lineage(parent), uppermost);
      const keptGroups = new Set(kept.flatMap((one) => lineage(one).at(-1) ?? []));
      if (own === undefined || keptGroups.has(own)) return;
      const keptDirectories = new Set([...keptGroups].flatMap((group) => groupDirectories(hierarchy, group)));
      const directories = groupDirectories(hierarchy, own);
      await Promise.all(directories.map((directory) => removeEmptyTree(directory, keptDirectories)));
      // Groups above may hold what somebody else has just made: they go only when nothing at all is in them.
      for (const group of above) {
        if (keptGroups.has(group)) return;
        await Promise.all(groupDirectories(hierarchy, group).map(removeIfEmpty));
      }
    },
  };
}

function lineage(parent: string): string[] {
  const names = path.posix.join("/", parent).split("/").filter(Boolean);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}

/** The last of a lineage and those above it up to `uppermost`. */
export function fromLeaf(groups: readonly string[], uppermost: string): string[] {
  return groups.slice(groups.indexOf(uppermost)).reverse();
}
