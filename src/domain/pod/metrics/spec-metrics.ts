import type { Container } from "#domain/container/container.ts";
import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf, wholeSeconds } from "./definition.ts";

const { gauge } = metricsOf<ContainerFacts>();

/** A larger limit is none, in the kernel's numbers as in cAdvisor's metrics. */
const unlimited = 2 ** 62;

/** Limits that mean "none" are told as 0. */
function limit(value: number | undefined): number {
  return value === undefined || value < 0 || value >= unlimited ? 0 : value;
}

export const specMetrics = [
  gauge(
    "spec_cpu_period",
    "Period of the CPU quota in microseconds.",
    ({ container }) => container.resources?.cpuPeriodUs,
  ),
  gauge("spec_cpu_shares", "CPU shares of the container.", ({ container }) => container.resources?.cpuShares),
  gauge("spec_cpu_quota", "CPU time a period in microseconds.", ({ container }) => {
    const quotaUs = container.resources?.cpuQuotaUs ?? 0;
    return quotaUs > 0 ? quotaUs : undefined;
  }),
  gauge(
    "spec_memory_limit_bytes",
    "Memory limit, 0 for none.",
    ({ container }) => container.resources && limit(container.resources.memoryLimitBytes),
  ),
  gauge(
    "spec_memory_reservation_limit_bytes",
    "Memory that is kept for the container, 0 for none.",
    ({ container }) => container.resources && limit(Number(container.resources.unified["memory.min"] ?? 0)),
  ),
  gauge(
    "spec_memory_swap_limit_bytes",
    "Limit of memory and swap together, 0 for none.",
    ({ container }) => container.resources && limit(container.resources.memorySwapLimitBytes),
  ),
  gauge("start_time_seconds", "When the container was started, in seconds since the epoch.", ({ container }) =>
    wholeSeconds(startedAtNs(container)),
  ),
];

function startedAtNs({ state, createdAtNs }: Container): bigint {
  return BigInt(state.kind === "running" ? state.startedAtNs : createdAtNs);
}
