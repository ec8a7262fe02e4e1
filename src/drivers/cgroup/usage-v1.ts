import type { CgroupCpu, CgroupMemory, CgroupMemoryDetail, CgroupSwap } from "./usage.ts";
import {
  limit,
  nanoseconds,
  nanosecondsField,
  numberField,
  parseBlkio,
  readFileOf,
  type UsageFiles,
  wholeNumber,
} from "./usage-files.ts";

/** cpuacct.stat counts in USER_HZ, which the kernel's interface fixes at 100 a second. */
const tickNs = 10_000_000n;

/**
 * Parts of a group of version 1; `directoryOf` gives its directory in a controller's hierarchy. What version 1 does not count may be
 * counted in a unified hierarchy that is mounted beside it: `unified`.
 */
export function usageFilesV1(
  directoryOf: (controller: string) => string | undefined,
  unified: () => Promise<Pick<UsageFiles, "pressure" | "hugetlb"> | undefined>,
): UsageFiles {
  const read = (controller: string, name: string): Promise<string | undefined> =>
    readFileOf(directoryOf(controller), name);
  const readAll = (controller: string, names: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(names.map((name) => read(controller, name)));
  return {
    async cpu(detailed) {
      const [usage, split, bandwidth] = await Promise.all([
        read("cpuacct", "cpuacct.usage"),
        detailed ? read("cpuacct", "cpuacct.stat") : undefined,
        detailed ? read("cpu", "cpu.stat") : undefined,
      ]);
      return cpuOf(usage, split, bandwidth);
    },
    async memory(detailed) {
      const detail = detailed ? ["memory.kmem.usage_in_bytes"] : [];
      const [usage, stat, kernel] = await readAll("memory", ["memory.usage_in_bytes", "memory.stat", ...detail]);
      return { memory: memoryOf(usage, stat, kernel), swap: swapOf(stat) };
    },
    async memoryDetail() {
      const files = ["memory.max_usage_in_bytes", "memory.failcnt", "memory.oom_control"];
      const [max, failures, oom] = await readAll("memory", files);
      return memoryDetailOf(max, failures, oom);
    },
    // Version 1 keeps none.
    pressure: async () => (await unified())?.pressure(),
    async io() {
      const [bytes, operations] = await readAll("blkio", [
        "blkio.throttle.io_service_bytes_recursive",
        "blkio.throttle.io_serviced_recursive",
      ]);
      return bytes === undefined ? undefined : parseBlkio(bytes, operations ?? "");
    },
    async pids() {
      const [current, max] = await readAll("pids", ["pids.current", "pids.max"]);
      const tasks = wholeNumber(current);
      return tasks === undefined ? undefined : { tasks, maxTasks: wholeNumber(max) };
    },
    async hugetlb(pageSize) {
      const files = ["usage_in_bytes", "max_usage_in_bytes"].map((name) => `hugetlb.${pageSize}.${name}`);
      const [usage, max] = await readAll("hugetlb", files);
      const usageBytes = wholeNumber(usage);
      if (usageBytes === undefined) return (await unified())?.hugetlb(pageSize);
      return { pageSize, usageBytes, maxUsageBytes: wholeNumber(max) };
    },
  };
}

function cpuOf(
  usage: string | undefined,
  split: string | undefined,
  bandwidth: string | undefined,
): CgroupCpu | undefined {
  const usageNs = nanoseconds(usage);
  if (usageNs === undefined) return undefined;
  return {
    usageNs,
    userNs: nanosecondsField(split, "user", tickNs),
    systemNs: nanosecondsField(split, "system", tickNs),
    periods: numberField(bandwidth, "nr_periods"),
    throttledPeriods: numberField(bandwidth, "nr_throttled"),
    throttledNs: nanosecondsField(bandwidth, "throttled_time", 1n),
  };
}

/** The "total_" numbers include the groups below, and the hierarchical limit those above. */
function memoryOf(
  usage: string | undefined,
  stat: string | undefined,
  kernel: string | undefined,
): CgroupMemory | undefined {
  const usageBytes = wholeNumber(usage);
  if (usageBytes === undefined) return undefined;
  const count = (key: string): number => numberField(stat, `total_${key}`) ?? 0;
  return {
    usageBytes,
    workingSetBytes: Math.max(0, usageBytes - count("inactive_file")),
    rssBytes: count("rss"),
    cacheBytes: count("cache"),
    mappedFileBytes: count("mapped_file"),
    kernelBytes: wholeNumber(kernel),
    pageFaults: count("pgfault"),
    majorPageFaults: count("pgmajfault"),
    limitBytes: limit(numberField(stat, "hierarchical_memory_limit")),
  };
}

function memoryDetailOf(...[max, failures, oom]: (string | undefined)[]): CgroupMemoryDetail | undefined {
  const limitHits = wholeNumber(failures);
  if (limitHits === undefined) return undefined;
  return { maxUsageBytes: wholeNumber(max), limitHits, oomKills: numberField(oom, "oom_kill") ?? 0 };
}

/** The limit that version 1 knows is of memory and swap together. */
function swapOf(stat: string | undefined): CgroupSwap | undefined {
  const usageBytes = numberField(stat, "total_swap");
  if (usageBytes === undefined) return undefined;
  const both = limit(numberField(stat, "hierarchical_memsw_limit"));
  const memory = limit(numberField(stat, "hierarchical_memory_limit"));
  const limitBytes = both === undefined ? undefined : Math.max(0, both - (memory ?? both));
  return { usageBytes, limitBytes };
}
