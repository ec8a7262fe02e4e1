import type { Pressure } from "#spec/pressure.ts";

/** What can be read of a group; each is a few files, so ask for what is needed. */
export type UsagePart =
  | "cpu"
  /** With "cpu": how the time is divided, and the quota's effect. */
  | "cpu-detail"
  | "memory"
  /** Extremes and failures, and with "memory" what the kernel holds. */
  | "memory-detail"
  | "pressure"
  | "io"
  | "pids"
  | "hugetlb";

export interface CgroupCpu {
  /** Nanoseconds of all CPUs since the group was made. */
  usageNs: bigint;
  // Version 1 tells the rest in files of its own, which are read for "cpu-detail" only.
  userNs: bigint | undefined;
  systemNs: bigint | undefined;
  /** Enforcement periods of the quota (CFS bandwidth), and in how many of them the group had to wait. */
  periods: number | undefined;
  throttledPeriods: number | undefined;
  throttledNs: bigint | undefined;
}

/** Of the group and all groups below it. */
export interface CgroupMemory {
  usageBytes: number;
  /** Usage less the page cache that the kernel would drop first (inactive_file): what evictions are decided by. */
  workingSetBytes: number;
  /** Anonymous memory. */
  rssBytes: number;
  cacheBytes: number;
  mappedFileBytes: number;
  /** On version 1 with "memory-detail" only. */
  kernelBytes: number | undefined;
  pageFaults: number;
  majorPageFaults: number;
  /** Undefined without a limit. */
  limitBytes: number | undefined;
}

export interface CgroupMemoryDetail {
  /** Undefined where the kernel keeps none (version 2 before Linux 5.19). */
  maxUsageBytes: number | undefined;
  /** How often usage ran into the limit. */
  limitHits: number;
  oomKills: number;
}

export interface CgroupSwap {
  usageBytes: number;
  /** Of swap alone; undefined without a limit. */
  limitBytes: number | undefined;
}

export interface CgroupPressure {
  cpu: Pressure | undefined;
  memory: Pressure | undefined;
  io: Pressure | undefined;
}

export interface CgroupIoDevice {
  major: number;
  minor: number;
  readBytes: number;
  writtenBytes: number;
  reads: number;
  writes: number;
}

export interface CgroupPids {
  /** Processes and threads, as the pids controller counts. */
  tasks: number;
  /** Undefined without a limit. */
  maxTasks: number | undefined;
}

export interface CgroupHugetlb {
  /** `2MB`, `1GB`: as in the kernel's file names. */
  pageSize: string;
  usageBytes: number;
  /** Undefined on version 2, which keeps no record. */
  maxUsageBytes: number | undefined;
}

/** Usage of one group. A part is undefined when it was not asked for, or when its controller or its files are not there. */
export interface CgroupUsage {
  /** When it was read, since the epoch. */
  timestampNs: bigint;
  cpu: CgroupCpu | undefined;
  memory: CgroupMemory | undefined;
  memoryDetail: CgroupMemoryDetail | undefined;
  /** Read with "memory"; undefined where swap is not accounted. */
  swap: CgroupSwap | undefined;
  /** Version 2 only, and only where the kernel keeps it (CONFIG_PSI, psi=1). */
  pressure: CgroupPressure | undefined;
  io: CgroupIoDevice[] | undefined;
  pids: CgroupPids | undefined;
  hugetlb: CgroupHugetlb[] | undefined;
}

/** Reads what the kernel counts for groups. Never waits for anything but the kernel, and never fails for a group that goes away. */
export interface CgroupUsageReader {
  /**
   * Usage of a container's group (`linux.cgroupsPath`, either form) or of a parent (`/kubepods/pod1`, `kubepods-pod1.slice`).
   * Undefined when there is no such group, or nothing of what was asked for is counted for it.
   */
  readUsage(cgroupPath: string, parts?: readonly UsagePart[]): Promise<CgroupUsage | undefined>;
  /** Ids of the processes in the group itself, without the groups below it; empty when it is gone. */
  readProcesses(cgroupPath: string): Promise<number[]>;
}

export const allUsageParts: readonly UsagePart[] = [
  "cpu",
  "cpu-detail",
  "memory",
  "memory-detail",
  "pressure",
  "io",
  "pids",
  "hugetlb",
];
