import path from "node:path";
import { kindOf } from "#errors/domain-error.ts";
import { hasGroupsBelow, isMissing, readOrEmpty } from "./group-files.ts";
import { groupDirectories } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { CgroupParents } from "./index.ts";
import { fromLeaf } from "./parent-groups.ts";
import { slicePath, slicesAbove } from "./slice-path.ts";
import type { SystemdUnits, UnitProperty } from "./systemd-units.ts";

/** Where pods go for which the kubelet names no slice. */
export const defaultSlice = "system.slice";

/** The slice that a pod's parent is, given by its name or its path. */
export function sliceOf(parent: string): string {
  return parent === "" ? defaultSlice : path.posix.basename(parent);
}

/** Parents that are slices of systemd's. */
export function parentSlices(hierarchy: Hierarchy, units: SystemdUnits): CgroupParents {
  const directoriesOf = (slice: string): string[] => groupDirectories(hierarchy, slicePath(slice));
  const lineage = (parent: string): string[] => slicesAbove(sliceOf(parent));

  return {
    lineage,

    missingParent(parent) {
      return lineage(parent).find((slice) => directoriesOf(slice).every(isMissing));
    },

    async createParent(parent) {
      const slice = sliceOf(parent);
      await units.startTransient(slice, sliceProperties(slice, hierarchy.version)).catch((error: unknown) => {
        // Another pod of the same slice was faster.
        if (kindOf(error) !== "already-exists") throw error;
      });
    },

    async removeParent(parent, uppermost, kept) {
      const keptSlices = new Set(kept.map(sliceOf));
      for (const slice of fromLeaf(lineage(parent), uppermost)) {
        // Stopping a slice ends all that runs in it, so it has to be empty.
        if (keptSlices.has(slice) || (await Promise.all(directoriesOf(slice).map(isInUse))).some(Boolean)) return;
        await units.stop(slice);
      }
    },
  };
}

/** Accounting is what makes systemd hand the controllers down to the slice. */
function sliceProperties(slice: string, version: 1 | 2): UnitProperty[] {
  return [
    ["Description", "s", `Pod ${slice}`],
    ["DefaultDependencies", "b", false],
    ["CPUAccounting", "b", true],
    ["MemoryAccounting", "b", true],
    ["TasksAccounting", "b", true],
    [version === 2 ? "IOAccounting" : "BlockIOAccounting", "b", true],
  ];
}

/** True while the group has a process, or a group below it. */
async function isInUse(directory: string): Promise<boolean> {
  return (await hasGroupsBelow(directory)) || (await readOrEmpty(path.join(directory, "cgroup.procs"))) !== "";
}
