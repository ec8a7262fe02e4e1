import { cgroupfsCgroups } from "./cgroupfs.ts";
import { readLimited, writeLimits } from "./group-limits.ts";
import { findHierarchy } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { defaultSlice, parentSlices, sliceOf } from "./parent-slices.ts";
import { groupPath, slicePath } from "./slice-path.ts";
import { limitProperties } from "./unit-limits.ts";
import { systemdUnits } from "./systemd-units.ts";
import type { SystemdUnits } from "./systemd-units.ts";

export interface SystemdOptions {
  /** For a runtime handler: the slice that its monitors are put into, or `pod` for the slice of their pod. */
  monitorCgroup(this: void, handler: string): string;
}

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

  return {
    version: files.version,
    driver: "systemd",

    ...parentSlices(hierarchy, units),

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
