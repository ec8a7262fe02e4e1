import path from "node:path";
import { kernelLogTail } from "#kernel/kernel-log.ts";
import { killAll, oomKills } from "./container-groups.ts";
import { readLimited, refuseBelowUsage, writeLimits } from "./group-limits.ts";
import { findHierarchy } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { MigrationLock } from "./migration-lock.ts";
import { tellsOomKill } from "./oom-log.ts";
import { defaultSlice, parentSlices, sliceOf } from "./parent-slices.ts";
import { PodGroups } from "./pod-groups.ts";
import { groupPath, slicePath } from "./slice-path.ts";
import { limitProperties } from "./unit-limits.ts";
import { systemdUnits } from "./systemd-units.ts";
import type { SystemdUnits, UnitProperty } from "./systemd-units.ts";

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
  const podGroups = new PodGroups(hierarchy);
  const migrationLock = new MigrationLock(hierarchy);

  return {
    version: hierarchy.version,
    driver: "systemd",

    ...parentSlices(hierarchy, units),

    async setLimits(parent, limits) {
      const slice = sliceOf(parent);
      // The files at once, and systemd so that it does not put its own values back when it next touches the slice.
      await writeLimits(hierarchy, slicePath(slice), limits);
      const properties = limitProperties(hierarchy.version, limits);
      if (properties.length > 0) await units.setProperties(slice, properties);
    },

    checkMemoryLimit: (cgroupsPath, limitBytes) => refuseBelowUsage(hierarchy, groupPath(cgroupsPath), limitBytes),
    limited: (parent) => readLimited(hierarchy, slicePath(sliceOf(parent))),

    async placeMonitor({ parent, containerId, handler }, pid) {
      const chosen = options.monitorCgroup(handler);
      const slice = chosen === "pod" ? sliceOf(parent) : chosen || defaultSlice;
      await units.startTransient(`crio-conmon-${containerId}.scope`, monitorProperties(containerId, slice, pid));
    },

    // A scope is gone with its last process.
    removeMonitorGroup: () => Promise.resolve(),

    makePodGroup: (parent, sandboxId) => podGroups.make(podGroup(parent, sandboxId)),
    removePodGroup: (parent, sandboxId) => podGroups.remove(podGroup(parent, sandboxId)),

    oomKills: (cgroupsPath) => oomKills(hierarchy, groupPath(cgroupsPath)),
    oomKillLogged: (cgroupsPath) => tellsOomKill(kernelLogTail(), groupPath(cgroupsPath)),
    killAll: (cgroupsPath) => killAll(hierarchy, groupPath(cgroupsPath)),

    expectMoves: (forMs) => migrationLock.expectMoves(forMs),
    close: () => units.close(),
  };
}

/** A directory that systemd does not know: it has no processes for systemd to look after. */
function podGroup(parent: string, sandboxId: string): string {
  return path.posix.join(slicePath(sliceOf(parent)), `crio-${sandboxId}.scope`);
}

/** conmon ignores it. */
const sigpipe = 13;

function monitorProperties(containerId: string, slice: string, pid: number): UnitProperty[] {
  return [
    ["Description", "s", `Monitor of container ${containerId}`],
    ["Slice", "s", slice],
    ["PIDs", "au", [pid]],
    // A shutdown ends the containers; the monitor then ends by itself, after it has recorded how they did.
    ["DefaultDependencies", "b", false],
    ["KillSignal", "i", sigpipe],
    ["CollectMode", "s", "inactive-or-failed"],
  ];
}
