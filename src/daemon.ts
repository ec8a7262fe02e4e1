import type { Config } from "#config/index.ts";
import { pathsOf, renderToml } from "#config/index.ts";
import { connect } from "#cri/client.ts";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { createCriServer } from "#cri/server.ts";
import { changedHandlers } from "./daemon/current-handlers.ts";
import { doubtfulPlaces } from "./daemon/doubtful-places.ts";
import { takeExclusively } from "./daemon/exclusive.ts";
import { MemoryRelease } from "./daemon/memory/memory-release.ts";
import { processMemory } from "./daemon/memory/process-memory.ts";
import { openDomain } from "./daemon/open-domain.ts";
import { raisePriority } from "./daemon/priority.ts";
import { reloadFiles } from "./daemon/reload-files.ts";
import { serveDaemonMetrics } from "./daemon/serve-metrics.ts";
import { buildStreaming } from "./daemon/streaming.ts";
import { serviceManager } from "./daemon/service-manager.ts";
import { startFromCache } from "./daemon/start-from-cache.ts";
import { createHttpApi } from "#http-api/server.ts";
import { adoptOrphans } from "#kernel/child-exits.ts";
import type { Logger } from "#observability/logger.ts";

/** Of the time for shutting down, what requests under way may use: to cut them off, and all that comes behind, takes the rest. */
const requestsShare = 0.8;

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
  await startFromCache(logger);
  let current = config;
  adoptOrphans();
  await raisePriority(config.berth.eventLoopNice, logger);
  await using undo = new AsyncDisposableStack();
  const paths = pathsOf(config);
  for (const { message, ...facts } of await doubtfulPlaces(config)) logger.warn(message, facts);
  await takeExclusively([{ name: `the socket ${paths.socket}`, lockFile: paths.socketLock }], undo);
  const { drivers, metrics, domain, afterwards } = await openDomain(() => current, paths, logger, undo);
  const streaming = buildStreaming(() => current, domain.streams, logger);
  undo.defer(() => streaming.close());

  const server = createCriServer({
    runtime: domain.runtime,
    streaming,
    metrics: metrics.operations,
    plainHttp: createHttpApi(
      {
        runtime: domain.runtime,
        storageRoot: paths.root,
        imageStore: config.crio.imagestore,
        rootOf: (id) => drivers.storage.rootfsLink(id),
        renderConfig: () => renderToml(current),
      },
      logger,
    ),
    socketPath: paths.socket,
    logger,
    maxReceiveBytes: config.api.grpcMaxRecvMsgSizeBytes,
    maxSendBytes: config.api.grpcMaxSendMsgSizeBytes,
  });
  const countDefaultRuntime = (count: 0 | 1): void =>
    metrics.all.defaultRuntime.set({ runtime: drivers.handlers.runtimes.defaultHandler }, count);
  countDefaultRuntime(1);
  await serveDaemonMetrics(config, metrics.all, domain.runtime, logger, undo);
  await server.listen();
  let endingSinceMs = performance.now();
  const cleaning = afterwards()
    .catch((error: unknown) => logger.error("cleaning up after an earlier daemon failed", { error }))
    .then(() => domain.standby.open());
  // Waited for once the server is closed: it may take long, and no call may begin meanwhile.
  undo.defer(() => cleaning);
  undo.defer(() => server.close(leftForRequests(current.berth.shutdownTimeoutMs, endingSinceMs)));
  logger.info("serving the CRI", { socket: paths.socket });
  const manager = serviceManager(process.env, () => answersItself(paths.socket), logger);
  undo.defer(() => manager.stopping());
  manager.ready();
  undo.use(new MemoryRelease(processMemory(drivers.thread), logger));
  const owned = undo.move();
  return {
    shutdown() {
      endingSinceMs = performance.now();
      return owned.disposeAsync();
    },
    reload(next) {
      const findHandlers = () => changedHandlers(current, next, logger);
      return reloadFiles({ registry: drivers.registry, streaming, findHandlers }, (handlers) => {
        current = next;
        if (handlers === undefined) return;
        countDefaultRuntime(0);
        drivers.handlers.exchange(handlers);
        countDefaultRuntime(1);
      });
    },
  };
}

function leftForRequests(shutdownTimeoutMs: number, sinceMs: number): number {
  return Math.max(0, requestsShare * shutdownTimeoutMs - (performance.now() - sinceMs));
}

/** What a client of the socket sees: a daemon that hangs does not answer this either. */
async function answersItself(socketPath: string): Promise<boolean> {
  using client = connect(socketPath);
  await client.call(RuntimeService.method.version, {}, { timeoutMs: 10_000 });
  return true;
}
