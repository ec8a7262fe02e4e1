import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf } from "./definition.ts";

const { counter, gauge, labelledCounter, labelledGauge } = metricsOf<ContainerFacts>();

export const memoryMetrics = [
  gauge("memory_cache", "Bytes of page cache.", ({ usage }) => usage?.memory?.cacheBytes),
  gauge("memory_rss", "Bytes of anonymous memory.", ({ usage }) => usage?.memory?.rssBytes),
  gauge(
    "memory_kernel_usage",
    "Bytes that the kernel holds for the container.",
    ({ usage }) => usage?.memory?.kernelBytes,
  ),
  gauge("memory_mapped_file", "Bytes of mapped files.", ({ usage }) => usage?.memory?.mappedFileBytes),
  gauge("memory_swap", "Bytes of swap used.", ({ usage }) => usage?.swap?.usageBytes),
  counter(
    "memory_failcnt",
    "How often memory usage ran into the limit.",
    ({ usage }) => usage?.memoryDetail?.limitHits,
  ),
  gauge(
    "memory_usage_bytes",
    "Bytes of memory used, the page cache included.",
    ({ usage }) => usage?.memory?.usageBytes,
  ),
  gauge(
    "memory_max_usage_bytes",
    "The most bytes of memory used so far.",
    ({ usage }) => usage?.memoryDetail?.maxUsageBytes,
  ),
  gauge(
    "memory_working_set_bytes",
    "Bytes of memory used without inactive page cache.",
    ({ usage }) => usage?.memory?.workingSetBytes,
  ),
  // The kernel counts faults of a group together with those of the groups below it, so both scopes are the same.
  labelledCounter(
    "memory_failures_total",
    "Page faults, by kind and scope.",
    ["failure_type", "scope"],
    ({ usage }) => {
      if (usage?.memory === undefined) return [];
      const { pageFaults, majorPageFaults } = usage.memory;
      return ["container", "hierarchy"].flatMap((scope) => [
        { value: pageFaults, labels: ["pgfault", scope] },
        { value: majorPageFaults, labels: ["pgmajfault", scope] },
      ]);
    },
  ),
];

export const oomMetrics = [
  counter(
    "oom_events_total",
    "Processes of the container that the OOM killer has killed.",
    ({ usage }) => usage?.memoryDetail?.oomKills,
  ),
];

export const hugetlbMetrics = [
  labelledGauge("hugetlb_usage_bytes", "Bytes of huge pages used.", ["pagesize"], ({ usage }) =>
    (usage?.hugetlb ?? []).map(({ pageSize, usageBytes }) => ({ value: usageBytes, labels: [pageSize] })),
  ),
  labelledGauge("hugetlb_max_usage_bytes", "The most bytes of huge pages used so far.", ["pagesize"], ({ usage }) =>
    (usage?.hugetlb ?? []).flatMap(({ pageSize, maxUsageBytes }) =>
      maxUsageBytes === undefined ? [] : [{ value: maxUsageBytes, labels: [pageSize] }],
    ),
  ),
];
