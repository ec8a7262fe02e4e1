import type { Config } from "#config/index.ts";
import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import type { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import { createEvents } from "#domain/pod/events/container-event-bus.ts";
import type { PodDrivers } from "#domain/pod/pod-drivers.ts";
import { createStats } from "#domain/pod/stats/stats-service.ts";
import type { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { cgroupUsageReader } from "#drivers/cgroup/usage-reader.ts";
import { procNodeStats } from "#drivers/node-stats/proc-node-stats.ts";
import type { Logger } from "#observability/logger.ts";
import type { Drivers } from "./drivers.ts";
import type { DaemonMetrics } from "./metrics.ts";

/** Everything that is known of pods and containers. */
export interface Stores {
  sandboxes: SandboxStore;
  containers: ContainerStore;
}

/** Those who look at pods and containers, and how they are told of what becomes of them. */
export interface Observers {
  events: ReturnType<typeof createEvents>;
  stats: ReturnType<typeof createStats>;
  ofContainers: Pick<ContainerDrivers, "publish" | "monitorLost">;
  ofPods: Pick<PodDrivers, "publishSandbox" | "stalled">;
}

/** Builds events and stats, of which the latter are to be closed. */
export function buildObservers(
  config: Config,
  stores: Stores,
  drivers: Drivers,
  metrics: DaemonMetrics,
  logger: Logger,
): Observers {
  const events = createEvents(stores, {
    enabled: true,
    history: config.berth.eventHistory,
    onDropped: metrics.eventDropped,
  });
  const stats = createStats(
    {
      ...stores,
      usage: cgroupUsageReader(),
      node: procNodeStats(),
      storage: drivers.storage,
      readInNetns: (pin, file) => drivers.thread.readInNetworkNamespace(pin, file),
      logger,
    },
    {
      collectionPeriodSeconds: config.stats.collectionPeriodSeconds,
      includedPodMetrics: config.stats.includedPodMetrics,
    },
  );
  const podOf = ({ sandboxId }: Container): Sandbox | undefined => stores.sandboxes.index.current(sandboxId);
  return {
    events,
    stats,
    ofContainers: {
      publish(type, changed) {
        if (type === "deleted") stats.forget(changed.id);
        if (type === "stopped") metrics.containerEnded(changed, podOf(changed));
        events.publish(type, changed);
      },
      monitorLost: (lost) => metrics.monitorLost(lost, podOf(lost)),
    },
    ofPods: {
      publishSandbox(type, changed) {
        if (type === "deleted") stats.forget(changed.id);
        events.publishSandbox(type, changed);
      },
      stalled: metrics.stalled,
    },
  };
}
