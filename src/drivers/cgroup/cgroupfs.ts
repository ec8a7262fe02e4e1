import { mkdir } from "node:fs/promises";
import path from "node:path";
import { kernelLogTail } from "#kernel/kernel-log.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { moveInto, killGroup, readOrEmpty, removeOnceEmpty, removeIfEmpty } from "./group-files.ts";
import { readLimited, refuseBelowUsage, writeLimits } from "./group-limits.ts";
import { findHierarchy, groupDirectories, groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { MigrationLock } from "./migration-lock.ts";
import { tellsOomKill } from "./oom-log.ts";
import { parentGroups } from "./parent-groups.ts";

export interface CgroupfsOptions {
  /** For a runtime handler: `pod` puts monitors beside their containers; "" leaves them in the daemon's group. */
  monitorCgroup(this: void, handler: string): string;
}

/** Controllers whose accounting a monitor should not escape. */
const monitorControllers = ["memory", "cpu", "pids"];

/** Groups by path below the mounts of the kernel's cgroup file systems. */
export function cgroupfsCgroups(options: CgroupfsOptions, hierarchy: Hierarchy = findHierarchy()): Cgroups {
  const monitorGroup = (parent: string, id: string): string => path.join(parent, `crio-conmon-${id}`);
  const migrationLock = new MigrationLock(hierarchy);
  const podGroups = new KeyedMutex<string>();

  return {
    version: hierarchy.version,
    driver: "cgroupfs",

    ...parentGroups(hierarchy),
    setLimits: (parent, limits) => writeLimits(hierarchy, parent, limits),
    checkMemoryLimit: (cgroupsPath, limitBytes) => refuseBelowUsage(hierarchy, cgroupsPath, limitBytes),
    limited: (parent) => readLimited(hierarchy, parent),

    async placeMonitor({ parent, containerId, handler }, pid) {
      if (options.monitorCgroup(handler) !== "pod") return;
      const group = monitorGroup(parent, containerId);
      const controllers = hierarchy.version === 2 ? [""] : monitorControllers;
      const directories = new Set(
        controllers.flatMap((controller) => groupDirectory(hierarchy, controller, group) ?? []),
      );
      // One after the other: each waits for the kernel's lock on moves, and together they would hold all threads of Node's pool, while
      // the container's root file system is being made.
      for (const directory of directories) {
        await mkdir(directory, { recursive: true });
        await moveInto(directory, pid);
      }
    },

    async makePodGroup(parent, sandboxId) {
      const directory = podGroup(hierarchy, path.posix.join(parent, `crio-${sandboxId}`));
      if (directory !== undefined) await podGroups.run(directory, () => mkdir(directory));
    },

    async removePodGroup(parent, sandboxId) {
      const directory = podGroup(hierarchy, path.posix.join(parent, `crio-${sandboxId}`));
      if (directory !== undefined) await podGroups.run(directory, () => removeIfEmpty(directory));
    },

    // Whatever the handler's monitor_cgroup is now: it may have been another when the group was made.
    async removeMonitorGroup(parent, containerId) {
      await Promise.all(groupDirectories(hierarchy, monitorGroup(parent, containerId)).map(removeOnceEmpty));
    },

    async oomKills(cgroupsPath) {
      const directory = groupDirectory(hierarchy, "memory", cgroupsPath);
      if (directory === undefined) return 0;
      const file = path.join(directory, hierarchy.version === 2 ? "memory.events" : "memory.oom_control");
      return countOomKills(await readOrEmpty(file));
    },

    oomKillLogged: (cgroupsPath) => tellsOomKill(kernelLogTail(), cgroupsPath),

    async killAll(cgroupsPath) {
      const directory =
        groupDirectory(hierarchy, "pids", cgroupsPath) ?? groupDirectory(hierarchy, "memory", cgroupsPath);
      if (directory !== undefined) await killGroup(directory, hierarchy.version);
    },

    expectMoves: (forMs) => migrationLock.expectMoves(forMs),
    close() {},
  };
}

/** On version 1 one controller's is enough to be noticed. */
function podGroup(hierarchy: Hierarchy, group: string): string | undefined {
  return groupDirectory(hierarchy, hierarchy.version === 2 ? "" : "memory", group);
}

function countOomKills(text: string): number | undefined {
  if (text === "") return undefined;
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
