import type { LinuxResources } from "#domain/sandbox/request.ts";

/** Resources of a container that asks for none. */
export const noResources: LinuxResources = {
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuShares: 0,
  memoryLimitBytes: 0,
  memorySwapLimitBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: "",
  cpusetMems: "",
  hugepageLimits: [],
  unified: {},
};
