import type { Config, Paths } from "#config/index.ts";
import { ContainerExits } from "#domain/container/container-exits.ts";
import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import { ContainerStore } from "#domain/container/container-store.ts";
import { infraRunner } from "#domain/container/infra.ts";
import { ContainerStops } from "#domain/container/stop-container.ts";
import { ImageService } from "#domain/image/image-service.ts";
import { CheckpointService } from "#domain/pod/checkpoint-service.ts";
import { ContainerService } from "#domain/pod/container-service.ts";
import { InfraWatch } from "#domain/pod/infra-watch.ts";
import { createEvents } from "#domain/pod/events/container-event-bus.ts";
import { usersOfImage } from "#domain/pod/image-users.ts";
import { createStats } from "#domain/pod/stats/stats-service.ts";
import { nodeService } from "#domain/pod/node-service.ts";
import type { PodDrivers } from "#domain/pod/pod-drivers.ts";
import { StreamSessions } from "#domain/pod/stream-sessions.ts";
import { PodService } from "#domain/pod/pod-service.ts";
import { recover } from "#domain/pod/recover.ts";
import type { Afterwards } from "#domain/pod/recover.ts";
import type { Runtime } from "#domain/runtime.ts";
import type { SandboxDrivers } from "#domain/sandbox/sandbox-drivers.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import { StandbyNetworks } from "#domain/sandbox/standby-networks.ts";
import { cgroupUsageReader } from "#drivers/cgroup/usage-reader.ts";
import { procNodeStats } from "#drivers/node-stats/proc-node-stats.ts";
import { containerLogs } from "#drivers/rootfs/container-logs.ts";
import { rootfsAccess } from "#drivers/rootfs/rootfs-access.ts";
import { berthVersion } from "#lib/berth-version.ts";
import { InFlight } from "#lib/in-flight.ts";
import type { Logger } from "#observability/logger.ts";
import { containerSettings, pullSettings, sandboxSettings } from "./domain-settings.ts";
import type { Drivers } from "./drivers.ts";
import type { DaemonMetrics } from "./metrics.ts";

export interface Domain {
  runtime: Runtime;
  images: ImageService;
  streams: StreamSessions;
  /** To be opened once what an earlier daemon left is swept. */
  standby: StandbyNetworks;
  recover(): Promise<Afterwards>;
}

/** Hands the drivers to the domain. */
export function buildDomain(
  config: () => Config,
  paths: Paths,
  drivers: Drivers,
  metrics: DaemonMetrics,
  logger: Logger,
  undo: AsyncDisposableStack,
): Domain {
  const sandboxStore = new SandboxStore(drivers.sandboxRecords);
  const containerStore = new ContainerStore(drivers.containerRecords);
  const images = buildImages(config, { sandboxStore, containerStore }, drivers, metrics, logger);
  undo.defer(() => images.close());

  const { events, stats } = buildObservers(config(), { sandboxStore, containerStore }, drivers, metrics, logger);
  undo.defer(() => stats.close());
  const container: ContainerDrivers = {
    ...drivers,
    runtimes: drivers.handlers.runtimes,
    store: containerStore,
    sandboxes: sandboxStore,
    images,
    rootfs: rootfsAccess,
    logs: containerLogs,
    settings: containerSettings(config, paths, drivers),
    publish(type, changed) {
      if (type === "deleted") stats.forget(changed.id);
      if (type === "stopped") metrics.containerEnded(changed, sandboxStore.index.current(changed.sandboxId));
      events.publish(type, changed);
    },
    monitorLost: (lost) => metrics.monitorLost(lost, sandboxStore.index.current(lost.sandboxId)),
    logger,
  };
  const settings = sandboxSettings(config(), drivers);
  const standby = new StandbyNetworks(
    { ...drivers, logger },
    { count: config().berth.standbyNetworks, defaultSysctls: settings.defaultSysctls },
  );
  undo.defer(() => standby.close());
  const sandbox: SandboxDrivers = {
    ...drivers,
    standby,
    store: sandboxStore,
    infra: infraRunner(container),
    selinuxLevels: drivers.security.selinux,
    settings,
    onStep: metrics.step,
    logger,
  };
  const exits = new ContainerExits(container);
  undo.defer(() => exits.close());
  const pod: PodDrivers = {
    sandbox,
    container,
    exits,
    stops: new ContainerStops(container, exits),
    creations: new InFlight(),
    publishSandbox(type, changed) {
      if (type === "deleted") stats.forget(changed.id);
      events.publishSandbox(type, changed);
    },
    stalled: metrics.stalled,
    logger,
  };
  const infra = new InfraWatch(pod);
  undo.defer(() => infra.close());
  const sandboxes = new PodService(pod, infra);
  return {
    images,
    streams: new StreamSessions(pod, drivers.streams),
    runtime: {
      sandboxes,
      containers: new ContainerService(pod),
      images,
      checkpoints: new CheckpointService(pod),
      node: buildNode(config, drivers, logger),
      stats,
      events,
    },
    standby,
    recover: () =>
      recover(pod, infra, {
        sandboxes: drivers.sandboxRecords,
        containers: drivers.containerRecords,
        stop: (id) => sandboxes.stop(id, undefined),
      }),
  };
}

function buildImages(
  config: () => Config,
  { sandboxStore, containerStore }: { sandboxStore: SandboxStore; containerStore: ContainerStore },
  drivers: Drivers,
  metrics: DaemonMetrics,
  logger: Logger,
): ImageService {
  return new ImageService({
    registry: drivers.registry,
    storage: drivers.storage,
    policies: drivers.signaturePolicies,
    namespacedAuth: drivers.namespacedAuth,
    observer: metrics.pulls,
    settings: pullSettings(config()),
    nodeAuthFile: () => config().image.pauseImageAuthFile,
    mountsArtifacts: config().image.ociArtifactMountSupport,
    pinnedPatterns: () => [config().image.pauseImage, ...config().image.pinnedImages],
    usersOf: (imageId) => usersOfImage({ containers: containerStore, sandboxes: sandboxStore }, imageId),
    logger,
  });
}

function buildObservers(
  config: Config,
  { sandboxStore, containerStore }: { sandboxStore: SandboxStore; containerStore: ContainerStore },
  drivers: Drivers,
  metrics: DaemonMetrics,
  logger: Logger,
) {
  const sources = { sandboxes: sandboxStore, containers: containerStore };
  return {
    events: createEvents(sources, {
      enabled: true,
      history: config.berth.eventHistory,
      onDropped: metrics.eventDropped,
    }),
    stats: createStats(
      {
        ...sources,
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
    ),
  };
}

function buildNode(config: () => Config, drivers: Drivers, logger: Logger) {
  const { runtimes } = drivers.handlers;
  return nodeService({
    name: "cri-o",
    version: berthVersion,
    cgroupDriver: config().runtime.cgroupManager,
    network: drivers.network,
    handlers: () => [...drivers.handlers.features],
    verbose: () => ({
      config: JSON.stringify({ sandboxImage: config().image.pauseImage, defaultRuntime: runtimes.defaultHandler }),
    }),
    logger,
  });
}
