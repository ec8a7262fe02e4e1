import type { Config, Paths } from "#config/index.ts";
import { ContainerExits } from "#domain/container/container-exits.ts";
import type { ContainerDrivers, ContainerSettings } from "#domain/container/container-drivers.ts";
import { ContainerStore } from "#domain/container/container-store.ts";
import { infraRunner } from "#domain/container/infra.ts";
import { ContainerStops } from "#domain/container/stop-container.ts";
import { workloadOf } from "#domain/container/workload.ts";
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
import type { SandboxDrivers, SandboxSettings } from "#domain/sandbox/sandbox-drivers.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import { StandbyNetworks } from "#domain/sandbox/standby-networks.ts";
import { cgroupUsageReader } from "#drivers/cgroup/usage-reader.ts";
import { procNodeStats } from "#drivers/node-stats/proc-node-stats.ts";
import { containerLogs } from "#drivers/rootfs/container-logs.ts";
import { rootfsAccess } from "#drivers/rootfs/rootfs-access.ts";
import { DomainError } from "#errors/domain-error.ts";
import { berthVersion } from "#lib/berth-version.ts";
import { InFlight } from "#lib/in-flight.ts";
import type { Logger } from "#observability/logger.ts";
import type { Drivers } from "./drivers.ts";
import type { DaemonMetrics } from "./metrics.ts";
import { specPolicies } from "./spec-policy.ts";
import { timezoneFile } from "./timezone.ts";

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
  const images = new ImageService({
    registry: drivers.registry,
    storage: drivers.storage,
    policies: drivers.signaturePolicies,
    namespacedAuth: drivers.namespacedAuth,
    observer: metrics.pulls,
    settings: {
      maxParallelLayerDownloads: config().berth.maxParallelLayerDownloads,
      platform: platformOf(config().berth.imagePlatform),
      progressTimeoutMs: config().image.pullProgressTimeoutMs,
    },
    nodeAuthFile: () => config().image.pauseImageAuthFile,
    mountsArtifacts: config().image.ociArtifactMountSupport,
    pinnedPatterns: () => [config().image.pauseImage, ...config().image.pinnedImages],
    usersOf: (imageId) => usersOfImage({ containers: containerStore, sandboxes: sandboxStore }, imageId),
    logger,
  });
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
  const { defaultSysctls } = sandboxSettings(config, drivers);
  const standby = new StandbyNetworks(
    { ...drivers, logger },
    { count: config().berth.standbyNetworks, defaultSysctls },
  );
  undo.defer(() => standby.close());
  const sandbox: SandboxDrivers = {
    ...drivers,
    standby,
    store: sandboxStore,
    infra: infraRunner(container),
    selinuxLevels: drivers.security.selinux,
    settings: sandboxSettings(config, drivers),
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

function platformOf(text: string) {
  const [os = "", architecture = "", variant] = text.split("/");
  return text === "" ? undefined : { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function sandboxSettings(config: () => Config, drivers: Drivers): SandboxSettings {
  const { runtime } = config();
  return {
    bootId: drivers.bootId,
    nodeName: drivers.nodeName,
    defaultHandler: drivers.handlers.runtimes.defaultHandler,
    allowedAnnotations(handler, annotations) {
      const { allowedAnnotations } = drivers.handlers.settings(drivers.handlers.runtimes.get(handler).handler);
      return [
        ...allowedAnnotations,
        ...(workloadOf(runtime.workloads.values(), annotations)?.allowedAnnotations ?? []),
      ];
    },
    checkHandler: (handler) => void drivers.handlers.runtimes.get(handler),
    checkUserNamespaces(handler) {
      const { handler: name } = drivers.handlers.runtimes.get(handler);
      if (drivers.handlers.features.some((one) => one.name === name && one.userNamespaces)) return;
      throw new DomainError(
        "failed-precondition",
        `runtime handler "${name}" cannot run pods in user namespaces: its runtime has no idmapped mounts`,
      );
    },
    defaultSysctls: Object.fromEntries(
      runtime.defaultSysctls.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    ),
    cgroupManager: runtime.cgroupManager,
    networkReadyTimeoutMs: 5000,
    hostPortsEnabled: !runtime.disableHostportMapping,
    selinux: drivers.security.facts.selinux,
  };
}

function containerSettings(config: () => Config, paths: Paths, drivers: Drivers): ContainerSettings {
  const { runtime, image } = config();
  const { handlers } = drivers;
  return {
    bootId: drivers.bootId,
    systemdCgroup: runtime.cgroupManager === "systemd",
    noPivot: runtime.noPivot,
    createTimeoutMs: (handler) => handlers.settings(handler).containerCreateTimeoutSeconds * 1000,
    defaultLogDirectory: paths.podLogs,
    pauseImage: image.pauseImage,
    pauseCommand: image.pauseCommand === "" ? [] : image.pauseCommand.split(/\s+/),
    declaredVolumes: image.imageVolumes,
    criuEnabled: runtime.enableCriuSupport,
    infraCpuset: runtime.infraCtrCpuset,
    dropInfra: runtime.dropInfraCtr,
    timezoneFile: timezoneFile(runtime.timezone),
    allowedDevices: runtime.allowedDevices,
    workloads: [...runtime.workloads.values()],
    specPolicy: specPolicies(config, paths, handlers, drivers.security),
    isSandboxed: (handler) => handlers.isSandboxed(handler),
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
