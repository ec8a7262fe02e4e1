import type { GroupLimits } from "./index.ts";

/** For tests: limits that leave everything as it is. */
export const noLimits: GroupLimits = {
  cpuShares: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  memoryLimitBytes: 0,
  hugepageLimits: [],
  unified: {},
};
