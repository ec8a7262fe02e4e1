import type { CpuUsage, IoUsage, MemoryUsage, SwapUsage } from "#domain/runtime.ts";
import type { CgroupUsage, UsagePart } from "#drivers/cgroup/usage.ts";
import type { CpuRates } from "./cpu-rates.ts";

/** What stats need of a group; metrics need more. */
export const statsParts: readonly UsagePart[] = ["cpu", "memory", "pressure"];

/** The usage of a group in the words of the CRI. A part is undefined when the kernel does not count it. */
export interface ResourceUsage {
  cpu: CpuUsage | undefined;
  memory: MemoryUsage | undefined;
  swap: SwapUsage | undefined;
  io: IoUsage | undefined;
}

export const noUsage: ResourceUsage = { cpu: undefined, memory: undefined, swap: undefined, io: undefined };

/** `id` is of the entity whose group it is: rates are kept by it. */
export function resourceUsage(usage: CgroupUsage | undefined, id: string, rates: CpuRates): ResourceUsage {
  if (usage === undefined) return noUsage;
  return {
    cpu: cpuUsage(usage, id, rates),
    memory: memoryUsage(usage),
    swap: swapUsage(usage),
    io: usage.pressure?.io && { timestampNs: usage.timestampNs, pressure: usage.pressure.io },
  };
}

function cpuUsage({ timestampNs, cpu, pressure }: CgroupUsage, id: string, rates: CpuRates): CpuUsage | undefined {
  if (cpu === undefined) return undefined;
  return {
    timestampNs,
    usageCoreNanoSeconds: cpu.usageNs,
    usageNanoCores: rates.nanoCores(id, cpu.usageNs, performance.now()),
    pressure: pressure?.cpu,
  };
}

function memoryUsage({ timestampNs, memory, pressure }: CgroupUsage): MemoryUsage | undefined {
  if (memory === undefined) return undefined;
  const { workingSetBytes, limitBytes, usageBytes, rssBytes, pageFaults, majorPageFaults } = memory;
  return {
    timestampNs,
    workingSetBytes,
    availableBytes: availableBytes(limitBytes, workingSetBytes),
    usageBytes,
    rssBytes,
    pageFaults,
    majorPageFaults,
    pressure: pressure?.memory,
  };
}

function swapUsage({ timestampNs, swap }: CgroupUsage): SwapUsage | undefined {
  if (swap === undefined) return undefined;
  return {
    timestampNs,
    availableBytes: availableBytes(swap.limitBytes, swap.usageBytes),
    usageBytes: swap.usageBytes,
  };
}

function availableBytes(limitBytes: number | undefined, usedBytes: number): number | undefined {
  return limitBytes === undefined ? undefined : Math.max(0, limitBytes - usedBytes);
}

/** Of all containers of a pod, for a pod that has no group of its own. Pressure cannot be added up. */
export function sumOfUsage(parts: readonly ResourceUsage[]): ResourceUsage {
  const cpus = parts.flatMap(({ cpu }) => cpu ?? []);
  const memories = parts.flatMap(({ memory }) => memory ?? []);
  return { cpu: sumOfCpu(cpus), memory: sumOfMemory(memories), swap: undefined, io: undefined };
}

function sumOfCpu(cpus: readonly CpuUsage[]): CpuUsage | undefined {
  const [first] = cpus;
  if (first === undefined) return undefined;
  const rates = cpus.flatMap(({ usageNanoCores }) => usageNanoCores ?? []);
  return {
    timestampNs: first.timestampNs,
    usageCoreNanoSeconds: cpus.reduce((sum, cpu) => sum + cpu.usageCoreNanoSeconds, 0n),
    usageNanoCores: rates.length === 0 ? undefined : rates.reduce((sum, rate) => sum + rate, 0),
    pressure: undefined,
  };
}

function sumOfMemory(memories: readonly MemoryUsage[]): MemoryUsage | undefined {
  const [first] = memories;
  if (first === undefined) return undefined;
  const sum = (key: "workingSetBytes" | "usageBytes" | "rssBytes" | "pageFaults" | "majorPageFaults"): number =>
    memories.reduce((total, memory) => total + memory[key], 0);
  return {
    timestampNs: first.timestampNs,
    workingSetBytes: sum("workingSetBytes"),
    availableBytes: undefined,
    usageBytes: sum("usageBytes"),
    rssBytes: sum("rssBytes"),
    pageFaults: sum("pageFaults"),
    majorPageFaults: sum("majorPageFaults"),
    pressure: undefined,
  };
}
