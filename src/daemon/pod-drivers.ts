import type { Config, Paths } from "#config/index.ts";
import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import { ContainerExits } from "#domain/container/container-exits.ts";
import { infraRunner } from "#domain/container/infra.ts";
import { ContainerStops } from "#domain/container/stop-container.ts";
import type { ImageService } from "#domain/image/image-service.ts";
import type { PodDrivers } from "#domain/pod/pod-drivers.ts";
import type { InfraRunner, SandboxDrivers } from "#domain/sandbox/sandbox-drivers.ts";
import { StandbyNetworks } from "#domain/sandbox/standby-networks.ts";
import { containerLogs } from "#drivers/rootfs/container-logs.ts";
import { rootfsAccess } from "#drivers/rootfs/rootfs-access.ts";
import { InFlight } from "#lib/in-flight.ts";
import type { Logger } from "#observability/logger.ts";
import { containerSettings, sandboxSettings } from "./domain-settings.ts";
import type { Drivers } from "./drivers.ts";
import type { DaemonMetrics } from "./metrics.ts";
import type { Observers, Stores } from "./observers.ts";

/** The parts of the daemon that pods need besides the drivers. */
interface Parts {
  stores: Stores;
  images: ImageService;
  observers: Observers;
  metrics: DaemonMetrics;
  logger: Logger;
}

/** What sandboxes, containers and whole pods are made of; `undo` closes what waits for them or watches them. */
export function buildPodDrivers(
  config: () => Config,
  paths: Paths,
  drivers: Drivers,
  parts: Parts,
  undo: AsyncDisposableStack,
): PodDrivers {
  const { observers, logger } = parts;
  const container: ContainerDrivers = {
    ...drivers,
    ...observers.ofContainers,
    runtimes: drivers.handlers.runtimes,
    store: parts.stores.containers,
    sandboxes: parts.stores.sandboxes,
    images: parts.images,
    rootfs: rootfsAccess,
    logs: containerLogs,
    settings: containerSettings(config, paths, drivers),
    logger,
  };
  const sandbox = buildSandboxDrivers(config(), drivers, parts, infraRunner(container), undo);
  const exits = new ContainerExits(container);
  undo.defer(() => exits.close());
  return {
    ...observers.ofPods,
    sandbox,
    container,
    exits,
    stops: new ContainerStops(container, exits),
    creations: new InFlight(),
    logger,
  };
}

function buildSandboxDrivers(
  config: Config,
  drivers: Drivers,
  { stores, metrics, logger }: Parts,
  infra: InfraRunner,
  undo: AsyncDisposableStack,
): SandboxDrivers {
  const settings = sandboxSettings(config, drivers);
  const standby = new StandbyNetworks(
    { ...drivers, logger },
    { count: config.berth.standbyNetworks, defaultSysctls: settings.defaultSysctls },
  );
  undo.defer(() => standby.close());
  return {
    ...drivers,
    standby,
    store: stores.sandboxes,
    infra,
    selinuxLevels: drivers.security.selinux,
    settings,
    onStep: metrics.step,
    logger,
  };
}
