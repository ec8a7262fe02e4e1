/** Control groups of pods: version 1 or 2, placed by path (cgroupfs) or by systemd unit. Paths are as in linux.cgroupsPath. */
export interface Cgroups {
  readonly version: 1 | 2;
  readonly driver: "cgroupfs" | "systemd";
  /**
   * The uppermost part of the path of a pod's parent cgroup that does not exist; undefined when all of it does, or when systemd will
   * make and remove it.
   */
  missingParent(parent: string): Promise<string | undefined>;
  /** Makes the parent; undone by `removeParent`. */
  createParent(parent: string): Promise<void>;
  /** Removes a parent, what empty groups are below it, and the groups above it up to `uppermost` while they are empty. Idempotent. */
  removeParent(parent: string, uppermost: string): Promise<void>;
  /**
   * cgroup.procs files that put a process into the monitors' group; empty when monitors stay where the daemon is. The group is made when needed.
   */
  monitorProcsFiles(parent: string, containerId: string): Promise<string[]>;
  /** Removes the monitor's group. Idempotent. */
  removeMonitorGroup(parent: string, containerId: string): Promise<void>;
  /** How many processes of the container the kernel's OOM killer has killed; 0 when unknown or gone. */
  oomKills(cgroupsPath: string): Promise<number>;
  /** Kills every process left in the group and waits until it is empty, bounded. */
  killAll(cgroupsPath: string): Promise<void>;
}
