import path from "node:path";
import { kindOf } from "#errors/domain-error.ts";
import { cgroupfsCgroups } from "./cgroupfs.ts";
import { hasGroupsBelow, isMissing, readOrEmpty } from "./group-files.ts";
import { readLimited, writeLimits } from "./group-limits.ts";
import { findHierarchy, groupDirectories } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { groupPath, slicePath, slicesAbove } from "./slice-path.ts";
import { limitProperties } from "./unit-limits.ts";
import { systemdUnits } from "./systemd-units.ts";
import type { SystemdUnits, UnitProperty } from "./systemd-units.ts";

export interface SystemdOptions {
  /** For a runtime handler: the slice that its monitors are put into, or `pod` for the slice of their pod. */
  monitorCgroup(this: void, handler: string): string;
}

/** Where pods go for which the kubelet names no slice. */
const defaultSlice = "system.slice";

/**
 * Groups that systemd owns. The runtime asks it for a scope per container, berth for a scope per monitor, so that monitors outlive the
 * daemon whatever its unit says, and for the slices of pods whose kubelet made none. What is read is read from the same files.
 */
export function systemdCgroups(
  options: SystemdOptions,
  hierarchy: Hierarchy = findHierarchy(),
  units: SystemdUnits = systemdUnits(),
): Cgroups {
  const files = cgroupfsCgroups({ monitorCgroup: () => "" }, hierarchy);
  const sliceOf = (parent: string): string => (parent === "" ? defaultSlice : path.posix.basename(parent));

  return {
    version: files.version,
    driver: "systemd",

    missingParent(parent) {
      return slicesAbove(sliceOf(parent)).find((slice) =>
        groupDirectories(hierarchy, slicePath(slice)).every(isMissing),
      );
    },

    async createParent(parent) {
      const slice = sliceOf(parent);
      await units.startTransient(slice, sliceProperties(slice, hierarchy.version)).catch((error: unknown) => {
        // Another pod of the same slice was faster.
        if (kindOf(error) !== "already-exists") throw error;
      });
    },

    async removeParent(parent, uppermost) {
      const slices = slicesAbove(sliceOf(parent));
      // Stopping a slice ends all that runs in it, so it has to be empty.
      for (const slice of slices.slice(slices.indexOf(uppermost)).reverse()) {
        if ((await directoriesOf(hierarchy, slice, isInUse)).some(Boolean)) return;
        await units.stop(slice);
      }
    },

    async setLimits(parent, limits) {
      const slice = sliceOf(parent);
      // The files at once, and systemd so that it does not put its own values back when it next touches the slice.
      await writeLimits(hierarchy, slicePath(slice), limits);
      const properties = limitProperties(hierarchy.version, limits);
      if (properties.length > 0) await units.setProperties(slice, properties);
    },

    checkMemoryLimit: (cgroupsPath, limitBytes) => files.checkMemoryLimit(groupPath(cgroupsPath), limitBytes),
    limited: (parent) => readLimited(hierarchy, slicePath(sliceOf(parent))),

    async placeMonitor({ parent, containerId, handler }, pid) {
      const chosen = options.monitorCgroup(handler);
      const slice = chosen === "pod" ? sliceOf(parent) : chosen;
      await units.startTransient(`crio-conmon-${containerId}.scope`, [
        ["Description", "s", `Monitor of container ${containerId}`],
        ["Slice", "s", slice === "" ? defaultSlice : slice],
        ["PIDs", "au", [pid]],
        // A shutdown ends the containers; the monitor then ends by itself, after it has recorded how they did.
        ["DefaultDependencies", "b", false],
        ["KillSignal", "i", sigpipe],
        ["CollectMode", "s", "inactive-or-failed"],
      ]);
    },

    // A directory that systemd does not know: it has no processes for systemd to look after.
    async makePodGroup(parent, sandboxId) {
      await files.makePodGroup(slicePath(sliceOf(parent)), `${sandboxId}.scope`);
    },

    removePodGroup: (parent, sandboxId) => files.removePodGroup(slicePath(sliceOf(parent)), `${sandboxId}.scope`),

    // A scope is gone with its last process.
    removeMonitorGroup: () => Promise.resolve(),
    oomKills: (cgroupsPath) => files.oomKills(groupPath(cgroupsPath)),
    oomKillLogged: (cgroupsPath) => files.oomKillLogged(groupPath(cgroupsPath)),
    killAll: (cgroupsPath) => files.killAll(groupPath(cgroupsPath)),
    expectMoves: (forMs) => files.expectMoves(forMs),

    close() {
      units.close();
    },
  };
}

/** conmon ignores it. */
const sigpipe = 13;

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

function directoriesOf(
  hierarchy: Hierarchy,
  slice: string,
  test: (directory: string) => Promise<boolean>,
): Promise<boolean[]> {
  return Promise.all(groupDirectories(hierarchy, slicePath(slice)).map(test));
}

/** True while the group has a process, or a group below it. */
async function isInUse(directory: string): Promise<boolean> {
  return (await hasGroupsBelow(directory)) || (await readOrEmpty(path.join(directory, "cgroup.procs"))) !== "";
}
