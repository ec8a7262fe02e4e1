import type { Config } from "#config/index.ts";
import type { StreamSessions } from "#domain/pod/stream-sessions.ts";
import type { Logger } from "#observability/logger.ts";
import { defaultStreamingOptions, type StreamingOptions } from "#streaming/options.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import { startStreamingWorker } from "#streaming/worker.ts";
import { answersOf } from "./streaming/answers.ts";
import { OnDemandServer } from "./streaming/on-demand-server.ts";
import { tlsLimits } from "./tls-limits.ts";

/** After how long without sessions the streaming thread ends. */
const idleMs = 10 * 60_000;

/** Exec, attach and port-forward: a thread that serves their URLs, and what it asks of this one. */
export function buildStreaming(config: () => Config, sessions: StreamSessions, logger: Logger): OnDemandServer {
  const backend = { url: import.meta.resolve("./streaming/backend.ts"), config: undefined };
  const create = () => startStreamingWorker(streamingOptions(config()), backend, answersOf(sessions), logger);
  return new OnDemandServer(create, idleMs, logger);
}

function streamingOptions({ api }: Config): Partial<StreamingOptions> {
  return {
    address: api.streamAddress,
    port: Number(api.streamPort),
    idleTimeoutMs: api.streamIdleTimeoutMs > 0 ? api.streamIdleTimeoutMs : defaultStreamingOptions.idleTimeoutMs,
    ...(api.streamEnableTls ? { tls: tlsFiles(api) } : {}),
  };
}

function tlsFiles(api: Config["api"]): TlsFiles {
  return {
    certPath: api.streamTlsCert,
    keyPath: api.streamTlsKey,
    ...tlsLimits(api),
    ...(api.streamTlsCa === "" ? {} : { caPath: api.streamTlsCa }),
  };
}
