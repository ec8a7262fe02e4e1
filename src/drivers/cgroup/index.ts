/** Limits of a pod's group in the units of the CRI; 0 and empty leave what is there, -1 is unlimited. */
export interface GroupLimits {
  /** cgroup v1 scale, 2 to 262144. */
  cpuShares: number;
  cpuPeriodUs: number;
  cpuQuotaUs: number;
  memoryLimitBytes: number;
  hugepageLimits: readonly { pageSize: string; limitBytes: number }[];
  /** cgroup v2 files and their values; not used on v1. */
  unified: Readonly<Record<string, string>>;
}

/** A container whose monitor is to be placed. */
export interface MonitoredPlace {
  /** Parent cgroup of its pod. */
  parent: string;
  containerId: string;
  /** Runtime handler that runs it; empty for the default one. */
  handler: string;
}

/** The parent cgroups of pods, each a path or a slice. To be made and removed one at a time. */
export interface CgroupParents {
  /** A pod's parent and the groups it lies in, paths or slices, the uppermost first, without the root. The same however the parent is written. */
  lineage(parent: string): readonly string[];
  /** The uppermost group of a parent's lineage that does not exist; undefined when all of them do. */
  missingParent(parent: string): string | undefined;
  /** Makes the parent; undone by `removeParent`. */
  createParent(parent: string): Promise<void>;
  /**
   * Removes a parent, what empty groups are below it, and the groups above it up to `uppermost` while they are empty. `kept` are parents that
   * have to stay: an empty one too, with what is in it. Idempotent.
   */
  removeParent(parent: string, uppermost: string, kept: readonly string[]): Promise<void>;
}

/** Control groups of pods: version 1 or 2, placed by path (cgroupfs) or by systemd unit. Paths are as in linux.cgroupsPath. */
export interface Cgroups extends CgroupParents {
  readonly version: 1 | 2;
  readonly driver: "cgroupfs" | "systemd";
  /**
   * Sets limits of a pod's parent group. What the kernel has no controller for is left out.
   * @throws DomainError failed-precondition for a memory limit below what the group uses, invalid-argument for what the kernel refuses
   */
  setLimits(parent: string, limits: GroupLimits): Promise<void>;
  /**
   * Asks whether a container can live with a memory limit; one that is not positive always will do.
   * @throws DomainError failed-precondition when more than that is in use
   */
  checkMemoryLimit(cgroupsPath: string, limitBytes: number): Promise<void>;
  /** Which limits the group has now. */
  limited(parent: string): Promise<{ cpu: boolean; memory: boolean }>;
  /**
   * Moves a monitor's process, and so all that it starts, to where the monitors of the container's runtime handler belong by
   * `monitor_cgroup`; nothing happens where that is the daemon's own place. Undone by `removeMonitorGroup`.
   */
  placeMonitor(monitored: MonitoredPlace, pid: number): Promise<void>;
  /**
   * Makes an empty group in the place of a pause process's, for a pod without one: by it cAdvisor, and so the kubelet, notices the
   * pod and asks for its network. Idempotent. Undone by `removePodGroup`.
   */
  makePodGroup(parent: string, sandboxId: string): Promise<void>;
  /** After a `makePodGroup` that is under way. Idempotent, also for a pod that never had it. */
  removePodGroup(parent: string, sandboxId: string): Promise<void>;
  /** Removes the monitor's group. Idempotent. */
  removeMonitorGroup(parent: string, containerId: string): Promise<void>;
  /** How many processes of the container the kernel's OOM killer has killed; undefined when its group is gone. */
  oomKills(cgroupsPath: string): Promise<number | undefined>;
  /**
   * True when the kernel's log tells of such a kill. For a group that is gone, as those of systemd are a moment after their last process,
   * which may be sooner than anybody could read them. Blocks for a millisecond or two.
   */
  oomKillLogged(cgroupsPath: string): boolean;
  /** Kills every process left in the group. */
  killAll(cgroupsPath: string): Promise<void>;
  /**
   * Says that processes are about to be moved between groups, by an OCI runtime for example, in the next milliseconds: a wait in the
   * kernel that would hold up the first move is had meanwhile. Returns at once and cannot fail.
   */
  expectMoves(forMs: number): void;
  close(): void;
}
