import type { Container } from "#domain/container/container.ts";
import type { WritableLayerUsage } from "#domain/runtime.ts";
import type { CgroupUsage } from "#drivers/cgroup/usage.ts";
import type { FilesystemCapacity, ProcessUsage } from "#drivers/node-stats/index.ts";

/** What the metrics of one container are made from. Parts are undefined when they are not known or no metric needs them. */
export interface ContainerFacts {
  container: Container;
  usage: CgroupUsage | undefined;
  layer: WritableLayerUsage | undefined;
  filesystem: FilesystemCapacity | undefined;
  processes: ProcessUsage | undefined;
  seenAtNs: bigint;
}
