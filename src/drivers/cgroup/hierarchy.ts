import { readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { parseMountInfo } from "#kernel/mount.ts";

/** Where control groups are mounted on this machine. */
export interface Hierarchy {
  version: 1 | 2;
  /** Controller (v1: `memory`, `cpu`, `name=systemd`, ...; v2: the single ``) → mount point. Co-mounted controllers share one. */
  mountPoints: ReadonlyMap<string, string>;
}

/**
 * Reads the mounts: version 2 when /sys/fs/cgroup itself is cgroup2, version 1 otherwise, also where an empty unified
 * hierarchy is mounted beside the controllers ("hybrid").
 */
export function findHierarchy(root = "/sys/fs/cgroup"): Hierarchy {
  const cgroup2Magic = 0x63677270;
  if (statfsSync(root).type === cgroup2Magic) return { version: 2, mountPoints: new Map([["", root]]) };
  const mounts = parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
  const mountPoints = new Map<string, string>();
  for (const { fsType, mountPoint, superOptions } of mounts) {
    // Runtimes make groups in an empty unified hierarchy too.
    if (fsType === "cgroup2" && mountPoint.startsWith(`${root}/`)) mountPoints.set("unified", mountPoint);
    if (fsType !== "cgroup" || !mountPoint.startsWith(`${root}/`)) continue;
    for (const option of superOptions.split(",")) {
      if (option !== "rw" && option !== "ro" && !option.startsWith("release_agent") && option !== "xattr")
        mountPoints.set(option, mountPoint);
    }
  }
  return { version: 1, mountPoints };
}

/** Directory of a group in the hierarchy of one controller; undefined where the controller is not mounted. */
export function groupDirectory(hierarchy: Hierarchy, controller: string, group: string): string | undefined {
  const mountPoint = hierarchy.mountPoints.get(hierarchy.version === 2 ? "" : controller);
  return mountPoint === undefined ? undefined : path.join(mountPoint, group);
}

/** Directories of a group in all hierarchies, each mount point once. */
export function groupDirectories(hierarchy: Hierarchy, group: string): string[] {
  return [...new Set(hierarchy.mountPoints.values())].map((mountPoint) => path.join(mountPoint, group));
}
