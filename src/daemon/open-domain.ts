import type { Config, Paths } from "#config/index.ts";
import type { Afterwards } from "#domain/pod/recover.ts";
import type { Logger } from "#observability/logger.ts";
import { buildDomain, type Domain } from "./domain.ts";
import { buildDrivers, type Drivers } from "./drivers.ts";
import { takeExclusively } from "./exclusive.ts";
import { daemonMetrics, type DaemonMetrics } from "./metrics.ts";

export interface OpenDomain {
  drivers: Drivers;
  metrics: DaemonMetrics;
  domain: Domain;
  /** What is left to do of bringing back what an earlier daemon left, and may take long. */
  afterwards: Afterwards;
}

/** Builds drivers and domain and brings back what an earlier daemon left; lists are true then. `undo` closes all of it. */
export async function openDomain(
  config: () => Config,
  paths: Paths,
  logger: Logger,
  undo: AsyncDisposableStack,
): Promise<OpenDomain> {
  const owned = [
    { name: `root ${paths.root}`, lockFile: paths.rootLock },
    { name: `runroot ${paths.runroot}`, lockFile: paths.runrootLock },
  ];
  await takeExclusively(owned, undo);
  const drivers = await buildDrivers(config, paths, logger, undo);
  await drivers.security.defaultApparmorProfile(config().runtime.apparmorProfile);
  const metrics = daemonMetrics(config());
  const domain = buildDomain(config, paths, drivers, metrics, logger, undo);
  await domain.images.load();
  const afterwards = await domain.recover();
  await drivers.streams.sweep();
  return { drivers, metrics, domain, afterwards };
}
