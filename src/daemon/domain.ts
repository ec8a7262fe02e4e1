import type { Config, Paths } from "#config/index.ts";
import { ContainerStore } from "#domain/container/container-store.ts";
import { ImageService } from "#domain/image/image-service.ts";
import { CheckpointService } from "#domain/pod/checkpoint-service.ts";
import { ContainerService } from "#domain/pod/container-service.ts";
import { usersOfImage } from "#domain/pod/image-users.ts";
import { InfraWatch } from "#domain/pod/infra-watch.ts";
import { nodeService } from "#domain/pod/node-service.ts";
import { PodService } from "#domain/pod/pod-service.ts";
import { recover } from "#domain/pod/recover.ts";
import type { Afterwards } from "#domain/pod/recover.ts";
import { StreamSessions } from "#domain/pod/stream-sessions.ts";
import type { Runtime } from "#domain/runtime.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { StandbyNetworks } from "#domain/sandbox/standby-networks.ts";
import { berthVersion } from "#lib/berth-version.ts";
import type { Logger } from "#observability/logger.ts";
import { pullSettings } from "./domain-settings.ts";
import type { Drivers } from "./drivers.ts";
import type { DaemonMetrics } from "./metrics.ts";
import { buildObservers } from "./observers.ts";
import type { Stores } from "./observers.ts";
import { buildPodDrivers } from "./pod-drivers.ts";

export interface Domain {
  runtime: Runtime;
  images: ImageService;
  streams: StreamSessions;
  /** To be opened once what an earlier daemon left is swept. */
  standby: StandbyNetworks;
  recover(): Promise<Afterwards>;
}

/** Hands the drivers to the domain; `undo` closes what it keeps open. */
export function buildDomain(
  config: () => Config,
  paths: Paths,
  drivers: Drivers,
  metrics: DaemonMetrics,
  logger: Logger,
  undo: AsyncDisposableStack,
): Domain {
  const stores: Stores = {
    sandboxes: new SandboxStore(drivers.sandboxRecords),
    containers: new ContainerStore(drivers.containerRecords),
  };
  const images = buildImages(config, stores, drivers, metrics, logger);
  undo.defer(() => images.close());
  const observers = buildObservers(config(), stores, drivers, metrics, logger);
  undo.defer(() => observers.stats.close());
  const pod = buildPodDrivers(config, paths, drivers, { stores, images, observers, metrics, logger }, undo);
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
      stats: observers.stats,
      events: observers.events,
    },
    standby: pod.sandbox.standby,
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
  stores: Stores,
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
    usersOf: (imageId) => usersOfImage(stores, imageId),
    logger,
  });
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
