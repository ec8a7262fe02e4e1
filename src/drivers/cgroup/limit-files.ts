import type { GroupLimits } from "./index.ts";

/** A value for one file of a group. */
export interface LimitFile {
  /** Controller of version 1 whose hierarchy has the file. */
  controller: string;
  name: string;
  value: string;
}

const defaultPeriodUs = 100_000;

/** The files that limits are written to, in order; what a limit leaves at 0 or empty is not among them. */
export function limitFiles(version: 1 | 2, limits: GroupLimits): LimitFile[] {
  return version === 2 ? filesOfVersion2(limits) : filesOfVersion1(limits);
}

function filesOfVersion1(limits: GroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  const add = (controller: string, name: string, value: number): void =>
    void files.push({ controller, name, value: String(value) });
  if (limits.cpuShares > 0) add("cpu", "cpu.shares", limits.cpuShares);
  // A shorter period first: a quota is only accepted while it fits.
  if (limits.cpuPeriodUs > 0) add("cpu", "cpu.cfs_period_us", limits.cpuPeriodUs);
  if (limits.cpuQuotaUs !== 0) add("cpu", "cpu.cfs_quota_us", Math.max(-1, limits.cpuQuotaUs));
  if (limits.memoryLimitBytes !== 0) add("memory", "memory.limit_in_bytes", Math.max(-1, limits.memoryLimitBytes));
  for (const { pageSize, limitBytes } of limits.hugepageLimits)
    add("hugetlb", `hugetlb.${pageSize}.limit_in_bytes`, limitBytes);
  return files;
}

function filesOfVersion2(limits: GroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  const add = (name: string, value: string): void => void files.push({ controller: "", name, value });
  if (limits.cpuShares > 0) add("cpu.weight", String(cpuWeight(limits.cpuShares)));
  if (limits.cpuQuotaUs !== 0) {
    const quota = limits.cpuQuotaUs < 0 ? "max" : String(limits.cpuQuotaUs);
    add("cpu.max", `${quota} ${limits.cpuPeriodUs || defaultPeriodUs}`);
  }
  if (limits.memoryLimitBytes !== 0)
    add("memory.max", limits.memoryLimitBytes < 0 ? "max" : String(limits.memoryLimitBytes));
  for (const { pageSize, limitBytes } of limits.hugepageLimits) add(`hugetlb.${pageSize}.max`, String(limitBytes));
  for (const [name, value] of Object.entries(limits.unified)) add(name, value);
  return files;
}

/**
 * `cpu.weight` (1 to 10000) for shares (2 to 262144), as runc and crun have counted since 2025: the curve meets both ends and maps the
 * default of one scale, 1024, to that of the other, 100.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}
