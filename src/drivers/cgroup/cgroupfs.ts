import path from "node:path";
import { kernelLogTail } from "#kernel/kernel-log.ts";
import { killAll, oomKills } from "./container-groups.ts";
import { readLimited, refuseBelowUsage, writeLimits } from "./group-limits.ts";
import { findHierarchy } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { MigrationLock } from "./migration-lock.ts";
import { placeBesideContainer, removeMonitorGroup } from "./monitor-groups.ts";
import { tellsOomKill } from "./oom-log.ts";
import { parentGroups } from "./parent-groups.ts";
import { PodGroups } from "./pod-groups.ts";

export interface CgroupfsOptions {
  /** For a runtime handler: `pod` puts monitors beside their containers; "" leaves them in the daemon's group. */
  monitorCgroup(this: void, handler: string): string;
}

/** Groups by path below the mounts of the kernel's cgroup file systems. */
export function cgroupfsCgroups(options: CgroupfsOptions, hierarchy: Hierarchy = findHierarchy()): Cgroups {
  const podGroups = new PodGroups(hierarchy);
  const migrationLock = new MigrationLock(hierarchy);

  return {
    version: hierarchy.version,
    driver: "cgroupfs",

    ...parentGroups(hierarchy),

    setLimits: (parent, limits) => writeLimits(hierarchy, parent, limits),
    checkMemoryLimit: (cgroupsPath, limitBytes) => refuseBelowUsage(hierarchy, cgroupsPath, limitBytes),
    limited: (parent) => readLimited(hierarchy, parent),

    async placeMonitor(monitored, pid) {
      if (options.monitorCgroup(monitored.handler) === "pod") await placeBesideContainer(hierarchy, monitored, pid);
    },

    // Whatever the handler's monitor_cgroup is now: it may have been another when the group was made.
    removeMonitorGroup: (parent, containerId) => removeMonitorGroup(hierarchy, parent, containerId),

    makePodGroup: (parent, sandboxId) => podGroups.make(podGroup(parent, sandboxId)),
    removePodGroup: (parent, sandboxId) => podGroups.remove(podGroup(parent, sandboxId)),

    oomKills: (cgroupsPath) => oomKills(hierarchy, cgroupsPath),
    oomKillLogged: (cgroupsPath) => tellsOomKill(kernelLogTail(), cgroupsPath),
    killAll: (cgroupsPath) => killAll(hierarchy, cgroupsPath),

    expectMoves: (forMs) => migrationLock.expectMoves(forMs),
    close() {},
  };
}

function podGroup(parent: string, sandboxId: string): string {
  return path.posix.join(parent, `crio-${sandboxId}`);
}
