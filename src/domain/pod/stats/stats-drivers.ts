import type { ContainerStore } from "#domain/container/container-store.ts";
import type { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { CgroupUsageReader } from "#drivers/cgroup/usage.ts";
import type { NodeStats } from "#drivers/node-stats/index.ts";
import type { Storage } from "#drivers/storage/index.ts";
import type { Logger } from "#observability/logger.ts";

/** What usage is read from. */
export interface StatsDrivers {
  sandboxes: Pick<SandboxStore, "index">;
  containers: Pick<ContainerStore, "index">;
  usage: CgroupUsageReader;
  node: NodeStats;
  storage: Pick<Storage, "containerRoot" | "rootfsUsage">;
  /** Reads a proc file as a process in the network namespace pinned at `path` sees it. */
  readInNetns(path: string, file: string): Promise<string>;
  logger: Logger;
}

/** Values of the configuration. */
export interface StatsSettings {
  /** 0 collects when asked; otherwise everything is collected in this rhythm and answers come from memory. */
  collectionPeriodSeconds: number;
  /** Families of metrics, or `all`. */
  includedPodMetrics: readonly string[];
  /** A writable layer is measured again when somebody asks and the last measurement is older than this. */
  writableLayerRefreshMs?: number;
}
