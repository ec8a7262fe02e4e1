import type {
  CgroupCpu,
  CgroupHugetlb,
  CgroupMemory,
  CgroupMemoryDetail,
  CgroupPids,
  CgroupPressure,
  CgroupSwap,
} from "./usage.ts";
import {
  limit,
  nanosecondsField,
  numberField,
  parseIoStat,
  parsePressure,
  readFileOf,
  type UsageFiles,
  wholeNumber,
} from "./usage-files.ts";

/** Parts of a group of the unified hierarchy, all files of which are in one directory. */
export function usageFilesV2(directory: string): UsageFiles {
  const read = (name: string): Promise<string | undefined> => readFileOf(directory, name);
  return {
    async cpu() {
      return cpuOf(await read("cpu.stat"));
    },
    async memory() {
      const files = ["memory.current", "memory.stat", "memory.max", "memory.swap.current", "memory.swap.max"];
      const [current, stat, max, swapCurrent, swapMax] = await Promise.all(files.map(read));
      return { memory: memoryOf(current, stat, max), swap: swapOf(swapCurrent, swapMax) };
    },
    async memoryDetail() {
      const [events, peak] = await Promise.all(["memory.events", "memory.peak"].map(read));
      return memoryDetailOf(events, peak);
    },
    async pressure() {
      const [cpu, memory, io] = await Promise.all(["cpu.pressure", "memory.pressure", "io.pressure"].map(read));
      return pressureOf(cpu, memory, io);
    },
    async io() {
      const stat = await read("io.stat");
      return stat === undefined ? undefined : parseIoStat(stat);
    },
    async pids() {
      const [current, max] = await Promise.all(["pids.current", "pids.max"].map(read));
      return pidsOf(current, max);
    },
    async hugetlb(pageSize) {
      return hugetlbOf(pageSize, await read(`hugetlb.${pageSize}.current`));
    },
  };
}

function cpuOf(stat: string | undefined): CgroupCpu | undefined {
  const usageNs = nanosecondsField(stat, "usage_usec", 1000n);
  if (usageNs === undefined) return undefined;
  return {
    usageNs,
    userNs: nanosecondsField(stat, "user_usec", 1000n),
    systemNs: nanosecondsField(stat, "system_usec", 1000n),
    periods: numberField(stat, "nr_periods"),
    throttledPeriods: numberField(stat, "nr_throttled"),
    throttledNs: nanosecondsField(stat, "throttled_usec", 1000n),
  };
}

function memoryOf(
  current: string | undefined,
  stat: string | undefined,
  max: string | undefined,
): CgroupMemory | undefined {
  const usageBytes = wholeNumber(current);
  if (usageBytes === undefined) return undefined;
  const count = (key: string): number => numberField(stat, key) ?? 0;
  return {
    usageBytes,
    workingSetBytes: Math.max(0, usageBytes - count("inactive_file")),
    rssBytes: count("anon"),
    cacheBytes: count("file"),
    mappedFileBytes: count("file_mapped"),
    // "kernel" came with Linux 5.18; before, the largest of what it adds up.
    kernelBytes: numberField(stat, "kernel") ?? count("kernel_stack") + count("slab") + count("pagetables"),
    pageFaults: count("pgfault"),
    majorPageFaults: count("pgmajfault"),
    limitBytes: limit(wholeNumber(max)),
  };
}

function memoryDetailOf(events: string | undefined, peak: string | undefined): CgroupMemoryDetail | undefined {
  if (events === undefined) return undefined;
  return {
    maxUsageBytes: wholeNumber(peak),
    limitHits: numberField(events, "max") ?? 0,
    oomKills: numberField(events, "oom_kill") ?? 0,
  };
}

function swapOf(current: string | undefined, max: string | undefined): CgroupSwap | undefined {
  const usageBytes = wholeNumber(current);
  return usageBytes === undefined ? undefined : { usageBytes, limitBytes: limit(wholeNumber(max)) };
}

function pressureOf(...[cpu, memory, io]: (string | undefined)[]): CgroupPressure | undefined {
  if (cpu === undefined && memory === undefined && io === undefined) return undefined;
  return { cpu: parsePressure(cpu), memory: parsePressure(memory), io: parsePressure(io) };
}

function pidsOf(current: string | undefined, max: string | undefined): CgroupPids | undefined {
  const tasks = wholeNumber(current);
  return tasks === undefined ? undefined : { tasks, maxTasks: wholeNumber(max) };
}

function hugetlbOf(pageSize: string, current: string | undefined): CgroupHugetlb | undefined {
  const usageBytes = wholeNumber(current);
  return usageBytes === undefined ? undefined : { pageSize, usageBytes, maxUsageBytes: undefined };
}
