import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import type { LinuxContainerResources, LinuxContainerResourcesSchema } from "../gen/runtime/v1/api_pb.ts";
import { numberList } from "./impossible-characters.ts";
import { invalid, nonEmpty, nonNegative, toNumber } from "./required.ts";

/** LinuxContainerResources of a request; `field` is where it was, for errors. */
export function resourcesFromWire(resources: LinuxContainerResources, field: string): LinuxResources {
  return {
    cpuPeriodUs: nonNegative(resources.cpuPeriod, `${field}.cpu_period`),
    cpuQuotaUs: toNumber(resources.cpuQuota),
    cpuShares: nonNegative(resources.cpuShares, `${field}.cpu_shares`),
    memoryLimitBytes: nonNegative(resources.memoryLimitInBytes, `${field}.memory_limit_in_bytes`),
    memorySwapLimitBytes: swapLimit(resources.memorySwapLimitInBytes, `${field}.memory_swap_limit_in_bytes`),
    oomScoreAdj: oomScoreAdj(resources.oomScoreAdj, `${field}.oom_score_adj`),
    cpusetCpus: numberList(resources.cpusetCpus, `${field}.cpuset_cpus`),
    cpusetMems: numberList(resources.cpusetMems, `${field}.cpuset_mems`),
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }, index) => ({
      pageSize: nonEmpty(pageSize, `${field}.hugepage_limits[${index}].page_size`),
      limitBytes: toNumber(limit),
    })),
    unified: resources.unified,
  };
}

/** The same for resources that need not be given. */
export function optionalResourcesFromWire(
  resources: LinuxContainerResources | undefined,
  field: string,
): LinuxResources | undefined {
  return resources === undefined ? undefined : resourcesFromWire(resources, field);
}

function swapLimit(value: bigint, field: string): number {
  if (value < -1n) throw invalid(field, `is neither a limit nor -1 for unlimited: ${value}`);
  return toNumber(value);
}

function oomScoreAdj(value: bigint, field: string): number {
  if (value < -1000n || value > 1000n) throw invalid(field, `is not between -1000 and 1000: ${value}`);
  return Number(value);
}

/** LinuxContainerResources of a status. */
export function resourcesToWire(resources: LinuxResources): MessageInitShape<typeof LinuxContainerResourcesSchema> {
  return {
    cpuPeriod: BigInt(resources.cpuPeriodUs),
    cpuQuota: BigInt(resources.cpuQuotaUs),
    cpuShares: BigInt(resources.cpuShares),
    memoryLimitInBytes: BigInt(resources.memoryLimitBytes),
    memorySwapLimitInBytes: BigInt(resources.memorySwapLimitBytes),
    oomScoreAdj: BigInt(resources.oomScoreAdj),
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limitBytes }) => ({
      pageSize,
      limit: BigInt(limitBytes),
    })),
    unified: resources.unified,
  };
}
