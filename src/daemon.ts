import type { Config } from "#config/index.ts";
import { pathsOf } from "#config/index.ts";
import { createCriServer } from "#cri/server.ts";
import { buildDomain } from "./daemon/domain.ts";
import { buildDrivers } from "./daemon/drivers.ts";
import { adoptOrphans } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";

/** A running daemon. */
export interface Daemon {
  /** Takes no new requests, lets those under way finish, frees what the process holds. Containers run on. */
  shutdown(): Promise<void>;
  /** Takes over the reloadable options of a new configuration. */
  reload(config: Config): Promise<void>;
}

export interface DaemonInput {
  config: Config;
  logger: Logger;
  /** Reads the configuration again, as SIGHUP does. */
  reload: () => Promise<void>;
}

/**
 * Builds the drivers and the domain, brings back what an earlier daemon left, and serves the CRI. Resolves once the socket
 * answers and lists are true; cleaning up after ended pods goes on behind it.
 */
export async function startDaemon({ config, logger }: DaemonInput): Promise<Daemon> {
  let current = config;
  adoptOrphans();
  await using undo = new AsyncDisposableStack();
  const paths = pathsOf(config);
  const drivers = await buildDrivers(() => current, paths, logger, undo);
  const domain = buildDomain(() => current, paths, drivers, logger, undo);
  await domain.images.load();
  const afterwards = await domain.recover();

  const server = createCriServer({
    runtime: domain.runtime,
    socketPath: paths.socket,
    logger,
    maxReceiveBytes: config.api.grpcMaxRecvMsgSizeBytes,
    maxSendBytes: config.api.grpcMaxSendMsgSizeBytes,
  });
  await server.listen();
  undo.defer(() => server.close(current.berth.shutdownTimeoutMs));
  const cleaning = afterwards().catch((error: unknown) =>
    logger.error("cleaning up after an earlier daemon failed", { error }),
  );
  undo.defer(() => cleaning);
  logger.info("serving the CRI", { socket: paths.socket });
  const owned = undo.move();
  return {
    shutdown: () => owned.disposeAsync(),
    async reload(next) {
      current = next;
      await drivers.registry.reload();
    },
  };
}
