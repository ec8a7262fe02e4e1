import { cgroupfsCgroups } from "./cgroupfs.ts";
import { findHierarchy } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { Cgroups } from "./index.ts";
import { groupPath } from "./slice-path.ts";

/**
 * Groups that systemd owns: the runtime asks it for a scope per container, slices come and go with their scopes, so nothing is made or
 * removed here; what is read is read from the same files.
 */
export function systemdCgroups(hierarchy: Hierarchy = findHierarchy()): Cgroups {
  const files = cgroupfsCgroups({ monitorCgroup: "" }, hierarchy);
  return {
    version: files.version,
    driver: "systemd",
    missingParent: () => Promise.resolve(undefined),
    createParent: () => Promise.resolve(),
    removeParent: () => Promise.resolve(),
    monitorProcsFiles: () => Promise.resolve([]),
    removeMonitorGroup: () => Promise.resolve(),
    oomKills: (cgroupsPath) => files.oomKills(groupPath(cgroupsPath)),
    killAll: (cgroupsPath) => files.killAll(groupPath(cgroupsPath)),
  };
}
