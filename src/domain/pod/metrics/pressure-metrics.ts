import type { CgroupPressure } from "#drivers/cgroup/usage.ts";
import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf } from "./definition.ts";
import type { MetricDefinition } from "./definition.ts";

const { counter } = metricsOf<ContainerFacts>();

const microsecondsPerSecond = 1_000_000;

function pressureOf(resource: keyof CgroupPressure, words: string): MetricDefinition<ContainerFacts>[] {
  const seconds = (line: "full" | "some") => (facts: ContainerFacts) => {
    const totalUs = facts.usage?.pressure?.[resource]?.[line].totalUs;
    return totalUs === undefined ? undefined : Math.trunc(totalUs / microsecondsPerSecond);
  };
  return [
    counter(
      `pressure_${resource}_stalled_seconds_total`,
      `Time during which all tasks of the container waited for ${words}.`,
      seconds("full"),
    ),
    counter(
      `pressure_${resource}_waiting_seconds_total`,
      `Time during which some task of the container waited for ${words}.`,
      seconds("some"),
    ),
  ];
}

export const pressureMetrics = [
  ...pressureOf("cpu", "a CPU"),
  ...pressureOf("memory", "memory"),
  ...pressureOf("io", "disks"),
];
