import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf, wholeSeconds } from "./definition.ts";

const { counter, labelledCounter } = metricsOf<ContainerFacts>();

export const cpuMetrics = [
  counter("cpu_user_seconds_total", "CPU time spent in user mode, in seconds.", ({ usage }) =>
    wholeSeconds(usage?.cpu?.userNs),
  ),
  counter("cpu_system_seconds_total", "CPU time spent in the kernel, in seconds.", ({ usage }) =>
    wholeSeconds(usage?.cpu?.systemNs),
  ),
  labelledCounter("cpu_usage_seconds_total", "CPU time spent, in seconds.", ["cpu"], ({ usage }) => {
    const value = wholeSeconds(usage?.cpu?.usageNs);
    return value === undefined ? [] : [{ value, labels: ["total"] }];
  }),
  counter("cpu_cfs_periods_total", "Periods of the CPU quota that have passed.", ({ usage }) => usage?.cpu?.periods),
  counter(
    "cpu_cfs_throttled_periods_total",
    "Periods of the CPU quota in which the container had to wait.",
    ({ usage }) => usage?.cpu?.throttledPeriods,
  ),
  counter("cpu_cfs_throttled_seconds_total", "Time that the container had to wait for its CPU quota.", ({ usage }) =>
    wholeSeconds(usage?.cpu?.throttledNs),
  ),
];
