import { mkdir, readdir, readFile, rmdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import { findHierarchy, groupDirectories, groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";

export interface CgroupfsOptions {
  /** `pod` puts monitors beside their containers; "" leaves them in the daemon's group. */
  monitorCgroup: string;
}

/** Controllers whose accounting a monitor should not escape. */
const monitorControllers = ["memory", "cpu", "pids"];

/** Groups by path below the mounts of the kernel's cgroup file systems. */
export function cgroupfsCgroups(options: CgroupfsOptions, hierarchy: Hierarchy = findHierarchy()): Cgroups {
  const monitorGroup = (parent: string, id: string): string => path.join(parent, `crio-conmon-${id}`);

  return {
    version: hierarchy.version,
    driver: "cgroupfs",

    async missingParent(parent) {
      let missing: string | undefined;
      for (let group = path.posix.join("/", parent); group !== "/"; group = path.posix.dirname(group)) {
        const anywhere = await Promise.all(groupDirectories(hierarchy, group).map(isMissing));
        if (!anywhere.some(Boolean)) return missing;
        missing = group;
      }
      return missing;
    },

    async createParent(parent) {
      const directories = groupDirectories(hierarchy, parent);
      await Promise.all(directories.map((directory) => mkdir(directory, { recursive: true })));
    },

    async removeParent(parent, uppermost) {
      await Promise.all(groupDirectories(hierarchy, parent).map(removeEmptyTree));
      // Groups above may hold another pod's parent that is empty still: they go only when nothing at all is in them.
      for (let group = path.posix.join("/", parent); group !== uppermost && group !== "/";) {
        group = path.posix.dirname(group);
        await Promise.all(groupDirectories(hierarchy, group).map(removeIfEmpty));
      }
    },

    async monitorProcsFiles(parent, containerId) {
      if (options.monitorCgroup !== "pod") return [];
      const group = monitorGroup(parent, containerId);
      const controllers = hierarchy.version === 2 ? [""] : monitorControllers;
      const directories = new Set(
        controllers.flatMap((controller) => groupDirectory(hierarchy, controller, group) ?? []),
      );
      await Promise.all([...directories].map((directory) => mkdir(directory, { recursive: true })));
      return [...directories].map((directory) => path.join(directory, "cgroup.procs"));
    },

    async removeMonitorGroup(parent, containerId) {
      if (options.monitorCgroup !== "pod") return;
      await Promise.all(groupDirectories(hierarchy, monitorGroup(parent, containerId)).map(removeEmptyTree));
    },

    async oomKills(cgroupsPath) {
      const directory = groupDirectory(hierarchy, "memory", cgroupsPath);
      if (directory === undefined) return 0;
      const file = path.join(directory, hierarchy.version === 2 ? "memory.events" : "memory.oom_control");
      return countOomKills(await readOrEmpty(file));
    },

    async killAll(cgroupsPath) {
      const directory =
        groupDirectory(hierarchy, "pids", cgroupsPath) ?? groupDirectory(hierarchy, "memory", cgroupsPath);
      if (directory !== undefined) await killGroup(directory, hierarchy.version === 2);
    },
  };
}

function countOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function killGroup(directory: string, hasKillFile: boolean): Promise<void> {
  if (hasKillFile) {
    await writeFile(path.join(directory, "cgroup.kill"), "1").catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
    });
    return;
  }
  for (const pid of (await readOrEmpty(path.join(directory, "cgroup.procs"))).split("\n").filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
}

async function isMissing(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => false,
    () => true,
  );
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return "";
    throw error;
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}

/** Groups can only be removed from the leaves up, and not while they have processes: those stay. */
async function removeEmptyTree(directory: string): Promise<void> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeEmptyTree(path.join(directory, entry.name));
    await rmdir(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}
