import type { CgroupFacts } from "#drivers/security/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import type { OciCpu, OciMemory, OciResources } from "#spec/oci-runtime.ts";

export interface ResourceInputs {
  requested: LinuxResources | undefined;
  cgroup: CgroupFacts;
  /** `container_min_memory` of the runtime handler: less than the runtime itself needs to start. */
  minMemoryBytes: number;
  /** `pids_limit` of the configuration; not positive is no limit. */
  pidsLimit: number;
}

export interface ResourceResult {
  resources: OciResources;
  warnings: string[];
}

/**
 * The cgroup limits, without devices. What the kernel has no controller for is left out, with a warning when it was a limit.
 * @throws DomainError invalid-argument for a memory limit that no container could start with
 */
export function buildResources(inputs: ResourceInputs): ResourceResult {
  const resources: OciResources = {};
  const warnings: string[] = [];
  const { requested, cgroup } = inputs;
  if (inputs.pidsLimit > 0) {
    if (cgroup.controllers.includes("pids")) resources.pids = { limit: inputs.pidsLimit };
    else warnings.push(`pids_limit ${inputs.pidsLimit} is not set: the kernel has no pids cgroup controller`);
  }
  if (requested === undefined) return { resources, warnings };

  const cpu = cpuSection(requested);
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;
  const memory = memorySection(requested, inputs);
  if (Object.keys(memory).length > 0) resources.memory = memory;
  addHugepages(resources, requested, cgroup, warnings);
  addUnified(resources, requested, cgroup, warnings);
  return { resources, warnings };
}

function cpuSection(requested: LinuxResources): OciCpu {
  const cpu: OciCpu = {};
  if (requested.cpuShares > 0) cpu.shares = exact(requested.cpuShares);
  if (requested.cpuQuotaUs !== 0) cpu.quota = exact(requested.cpuQuotaUs);
  if (requested.cpuPeriodUs > 0) cpu.period = exact(requested.cpuPeriodUs);
  if (requested.cpusetCpus !== "") cpu.cpus = requested.cpusetCpus;
  if (requested.cpusetMems !== "") cpu.mems = requested.cpusetMems;
  return cpu;
}

function memorySection(requested: LinuxResources, inputs: ResourceInputs): OciMemory {
  const limit = exact(requested.memoryLimitBytes);
  if (limit > 0 && limit < inputs.minMemoryBytes)
    throw new DomainError(
      "invalid-argument",
      `the memory limit of ${limit} bytes is below the ${inputs.minMemoryBytes} bytes that a container of this runtime ` +
        `needs to start`,
    );
  const memory: OciMemory = {};
  if (limit !== 0) memory.limit = limit;
  if (!inputs.cgroup.hasMemorySwap) return memory;
  // A limit without a word on swap means no swap: the kernel's own default would let memory leak into all of the node's.
  if (requested.memorySwapLimitBytes !== 0) memory.swap = exact(requested.memorySwapLimitBytes);
  else if (limit !== 0) memory.swap = limit;
  return memory;
}

function addHugepages(
  resources: OciResources,
  requested: LinuxResources,
  cgroup: CgroupFacts,
  warnings: string[],
): void {
  if (requested.hugepageLimits.length === 0) return;
  if (cgroup.controllers.includes("hugetlb")) {
    resources.hugepageLimits = requested.hugepageLimits.map(({ pageSize, limitBytes }) => ({
      pageSize,
      limit: exact(limitBytes),
    }));
    return;
  }
  const wanted = requested.hugepageLimits.filter((one) => one.limitBytes > 0).map((one) => one.pageSize);
  if (wanted.length > 0)
    warnings.push(`the limits on huge pages (${wanted.join(", ")}) are not set: the kernel has no hugetlb controller`);
}

function addUnified(resources: OciResources, requested: LinuxResources, cgroup: CgroupFacts, warnings: string[]): void {
  const names = Object.keys(requested.unified);
  if (names.length === 0) return;
  if (cgroup.version === 2) resources.unified = { ...requested.unified };
  else warnings.push(`${names.join(", ")} cannot be set: this machine uses cgroup v1`);
}

/** 64-bit limits beyond what JavaScript counts exactly mean "no limit" and must not become a number Go cannot read. */
function exact(value: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(value)));
}

/**
 * The OOM score. Without CAP_SYS_RESOURCE the kernel refuses a lower value than the daemon's own and the runtime would fail,
 * so the daemon's is used and `warning` says it.
 */
export function oomScoreAdj(
  wanted: number,
  daemon: { oomScoreAdj: number; canLower: boolean },
): { value: number; warning: string | undefined } {
  const value = Math.max(-1000, Math.min(1000, Math.trunc(wanted)));
  if (daemon.canLower || value >= daemon.oomScoreAdj) return { value, warning: undefined };
  return {
    value: daemon.oomScoreAdj,
    warning: `oom_score_adj is ${daemon.oomScoreAdj} instead of ${value}: the daemon has no CAP_SYS_RESOURCE to lower it`,
  };
}
