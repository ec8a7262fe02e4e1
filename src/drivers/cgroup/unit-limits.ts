import type { GroupLimits } from "./index.ts";
import { cpuWeight } from "./limit-files.ts";
import type { UnitProperty } from "./systemd-units.ts";

/** How systemd spells "no limit". */
const infinity = 2n ** 64n - 1n;
const defaultPeriodUs = 100_000;
/** systemd keeps quotas in steps of a hundredth of a CPU and rounds down, which would give less than was asked for. */
const quotaStepUs = 10_000;

/** systemd's properties for the limits that are given. Huge pages and free keys have none: they live in the files alone. */
export function limitProperties(version: 1 | 2, limits: GroupLimits): UnitProperty[] {
  const properties: UnitProperty[] = [];
  if (limits.cpuShares > 0) {
    properties.push(
      version === 2
        ? ["CPUWeight", "t", BigInt(cpuWeight(limits.cpuShares))]
        : ["CPUShares", "t", BigInt(limits.cpuShares)],
    );
  }
  if (limits.cpuQuotaUs !== 0) {
    const periodUs = limits.cpuPeriodUs || defaultPeriodUs;
    properties.push(["CPUQuotaPeriodUSec", "t", BigInt(periodUs)]);
    properties.push(["CPUQuotaPerSecUSec", "t", quotaPerSecond(limits.cpuQuotaUs, periodUs)]);
  }
  if (limits.memoryLimitBytes !== 0) {
    const bytes = limits.memoryLimitBytes < 0 ? infinity : BigInt(limits.memoryLimitBytes);
    properties.push([version === 2 ? "MemoryMax" : "MemoryLimit", "t", bytes]);
  }
  return properties;
}

function quotaPerSecond(quotaUs: number, periodUs: number): bigint {
  if (quotaUs < 0) return infinity;
  return BigInt(Math.ceil((quotaUs * 1_000_000) / periodUs / quotaStepUs) * quotaStepUs);
}
