import type { TlsFiles } from "#lib/tls-files.ts";

/** How the streaming server listens and what it tolerates. */
export interface StreamingOptions {
  /** IP address to listen on, also the host of the URLs (a wildcard becomes the loopback address in them). */
  readonly address: string;
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  /** Serve HTTPS with these files; plain HTTP without. */
  readonly tls?: TlsFiles | undefined;
  /** A session without any traffic for this long is closed. */
  readonly idleTimeoutMs: number;
  /** How long a SPDY client may take to open the streams it announced. */
  readonly streamCreationTimeoutMs: number;
  /** How long a URL may wait for its client. */
  readonly tokenTtlMs: number;
  /** How many URLs may wait at once. */
  readonly maxPending: number;
}

/** The values of Kubernetes' own streaming server, which kubelets and clients are tuned to. */
export const defaultStreamingOptions: StreamingOptions = {
  address: "127.0.0.1",
  port: 0,
  idleTimeoutMs: 4 * 60 * 60 * 1000,
  streamCreationTimeoutMs: 30_000,
  tokenTtlMs: 60_000,
  maxPending: 1000,
};
