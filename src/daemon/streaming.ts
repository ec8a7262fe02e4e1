import type { SecureVersion } from "node:tls";
import type { Config } from "#config/index.ts";
import type { StreamSessions } from "#domain/pod/stream-sessions.ts";
import type { Logger } from "#observability/logger.ts";
import { defaultStreamingOptions, type StreamingOptions } from "#streaming/options.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import { startStreamingWorker } from "#streaming/worker.ts";
import { answersOf } from "./streaming/answers.ts";
import { OnDemandServer } from "./streaming/on-demand-server.ts";

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

const tlsVersions: Record<Config["api"]["tlsMinVersion"], SecureVersion> = {
  VersionTLS12: "TLSv1.2",
  VersionTLS13: "TLSv1.3",
};

function tlsFiles(api: Config["api"]): TlsFiles {
  return {
    certPath: api.streamTlsCert,
    keyPath: api.streamTlsKey,
    minVersion: tlsVersions[api.tlsMinVersion],
    ...(api.streamTlsCa === "" ? {} : { caPath: api.streamTlsCa }),
    // OpenSSL takes the IANA names as they are.
    ...(api.tlsCipherSuites.length === 0 ? {} : { ciphers: api.tlsCipherSuites.join(":") }),
  };
}
