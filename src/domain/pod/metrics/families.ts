import type { MetricDescriptor } from "#domain/runtime.ts";
import type { InterfaceCounters } from "../stats/network-usage.ts";
import type { ContainerFacts } from "./container-facts.ts";
import { cpuMetrics } from "./cpu-metrics.ts";
import { baseLabelKeys, metricsOf } from "./definition.ts";
import type { MetricDefinition } from "./definition.ts";
import { diskIoMetrics, diskMetrics } from "./disk-metrics.ts";
import { hugetlbMetrics, memoryMetrics, oomMetrics } from "./memory-metrics.ts";
import { networkMetrics } from "./network-metrics.ts";
import { pressureMetrics } from "./pressure-metrics.ts";
import { processMetrics } from "./process-metrics.ts";
import { specMetrics } from "./spec-metrics.ts";

/** Families of `included_pod_metrics` whose metrics are of containers. */
const containerFamilies = {
  cpu: cpuMetrics,
  disk: diskMetrics,
  diskIO: diskIoMetrics,
  hugetlb: hugetlbMetrics,
  memory: memoryMetrics,
  oom: oomMetrics,
  pressure: pressureMetrics,
  process: processMetrics,
  spec: specMetrics,
} satisfies Record<string, readonly MetricDefinition<ContainerFacts>[]>;

export type ContainerFamily = keyof typeof containerFamilies;

const lastSeen = metricsOf<ContainerFacts>().gauge(
  "last_seen",
  "When the container was last seen, in seconds since the epoch.",
  ({ seenAtNs }) => seenAtNs / 1_000_000_000n,
);

/** The metrics that the configuration asks for. */
export interface MetricFamilies {
  /** Families of containers, for finding out what has to be read. */
  families: ReadonlySet<ContainerFamily>;
  container: readonly MetricDefinition<ContainerFacts>[];
  /** Of the pod's network. */
  pod: readonly MetricDefinition<readonly InterfaceCounters[]>[];
}

/** `included` as in `included_pod_metrics`. When a container was last seen is always told. */
export function familiesOf(included: readonly string[]): MetricFamilies {
  const isIncluded = (name: string): boolean => included.includes("all") || included.includes(name);
  const families = (Object.keys(containerFamilies) as ContainerFamily[]).filter(isIncluded);
  return {
    families: new Set(families),
    container: [lastSeen, ...families.flatMap((name) => containerFamilies[name])],
    pod: isIncluded("network") ? networkMetrics : [],
  };
}

/** What ListMetricDescriptors tells. */
export function descriptorsOf({ container, pod }: MetricFamilies): MetricDescriptor[] {
  return [...container, ...pod].map(({ name, help, labelKeys }) => ({
    name,
    help,
    labelKeys: [...baseLabelKeys, ...labelKeys],
  }));
}
