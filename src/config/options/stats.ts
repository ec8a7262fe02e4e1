import { atLeast, each, oneOf } from "../checks.ts";
import { integer, list } from "../option.ts";
import { section } from "../section.ts";

const podMetrics = [
  "all",
  "cpu",
  "disk",
  "diskIO",
  "hugetlb",
  "memory",
  "network",
  "oom",
  "pressure",
  "process",
  "spec",
];

/** `[crio.stats]`: resource usage over the CRI. */
export const stats = section("crio.stats", "Resource usage of pods and containers as the CRI reports it.", {
  collectionPeriodSeconds: integer("collection_period", {
    default: 0,
    environment: "COLLECTION_PERIOD",
    check: atLeast(0),
    description: "Seconds between two collections of usage and metrics; 0 collects when asked.",
  }),
  statsCollectionPeriodSeconds: integer("stats_collection_period", {
    default: 0,
    check: atLeast(0),
    deprecated: "Use collection_period.",
    status: "accepted",
    description: "Older name of collection_period.",
  }),
  includedPodMetrics: list("included_pod_metrics", {
    default: [],
    check: each(oneOf(podMetrics)),
    description: `Families of pod metrics that the CRI offers: ${podMetrics.slice(1).join(", ")}, or \`all\`.`,
  }),
});
