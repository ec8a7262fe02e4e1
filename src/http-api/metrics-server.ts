import type { RequestListener, Server } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { Connections } from "#lib/connections.ts";
import { listenOnSocket } from "#lib/listen-on-socket.ts";
import { createServer as createHttpServer } from "#lib/node-http.ts";
import { readTlsFiles, type TlsFiles, tlsFilesVersion } from "#lib/tls-files.ts";
import type { Logger } from "#observability/logger.ts";

export interface MetricsServerOptions {
  host: string;
  /** 0 for any. */
  port: number;
  /** A unix socket to serve on as well, without TLS. */
  socketPath: string | undefined;
  tls: TlsFiles | undefined;
  /** How often the files of `tls` are looked at. */
  tlsCheckIntervalMs?: number;
  /** How long `close` waits for scrapes under way before it cuts them off. */
  closeGraceMs?: number;
  /** The text of a scrape. */
  render(this: void): Promise<string>;
  logger: Logger;
}

export interface MetricsServer {
  /** Where TCP is served. */
  readonly port: number;
  close(): Promise<void>;
}

const defaultTlsCheckIntervalMs = 60_000;
/** How long a scrape that is under way may take once the server closes. */
const defaultCloseGraceMs = 2000;

/**
 * Serves GET /metrics to Prometheus.
 * @throws DomainError failed-precondition when an address cannot be listened on, invalid-argument for unusable TLS files
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, socketPath, tls, logger, closeGraceMs = defaultCloseGraceMs } = options;
  await using undo = new AsyncDisposableStack();
  const answer = answerer(options);
  const server = tls === undefined ? createHttpServer(answer) : await secureServer(tls, answer);
  const connections = new Connections(server);
  undo.defer(() => close(server, connections, closeGraceMs));
  await listen(server, host, port);
  if (tls !== undefined && server instanceof HttpsServer) {
    const interval = options.tlsCheckIntervalMs ?? defaultTlsCheckIntervalMs;
    const stop = await followTlsFiles(server, tls, interval, logger);
    undo.defer(stop);
  }
  if (socketPath !== undefined) {
    const local = createHttpServer(answer);
    const localConnections = new Connections(local);
    undo.defer(() => close(local, localConnections, closeGraceMs));
    await listenOnSocket(local, socketPath);
  }
  const { port: bound } = server.address() as AddressInfo;
  logger.info("serving metrics", { host, port: bound, tls: tls !== undefined, socket: socketPath });
  const owned = undo.move();
  return { port: bound, close: () => owned.disposeAsync() };
}

function answerer({ render, logger }: MetricsServerOptions): RequestListener {
  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://metrics");
    if (pathname !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("metrics are at /metrics\n");
      return;
    }
    render().then(
      (text) => response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text),
      (error: unknown) => {
        logger.error("metrics cannot be rendered", { error });
        response.writeHead(500).end();
      },
    );
  };
}

async function secureServer(tls: TlsFiles, answer: RequestListener): Promise<HttpsServer> {
  const context = await readTlsFiles(tls);
  try {
    return createHttpsServer(context, answer);
  } catch (error) {
    throw unusable(tls, error);
  }
}

function unusable({ certPath, keyPath }: TlsFiles, error: unknown): DomainError {
  const message = `certificate ${certPath} and key ${keyPath} of the metrics endpoint are not usable: ${messageOf(error)}`;
  return new DomainError("invalid-argument", message, { cause: error });
}

/** Takes over files that have changed; those that cannot be used are logged, and the last good ones stay. */
async function followTlsFiles(
  server: HttpsServer,
  tls: TlsFiles,
  intervalMs: number,
  logger: Logger,
): Promise<() => void> {
  let seen = await tlsFilesVersion(tls);
  const look = async (): Promise<void> => {
    const version = await tlsFilesVersion(tls);
    if (version === seen) return;
    seen = version;
    server.setSecureContext(await readTlsFiles(tls));
    logger.info("the certificate of the metrics endpoint was reloaded", { certificate: tls.certPath });
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) =>
      logger.warn("the certificate of the metrics endpoint stays as it was", { error: unusable(tls, error) }),
    );
  }, intervalMs).unref();
  return () => clearInterval(timer);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Later ones are of connections that cannot be accepted, which must not end the daemon.
    server.on("error", (cause) =>
      reject(
        new DomainError("failed-precondition", `cannot serve metrics on ${host}:${port}: ${messageOf(cause)}`, {
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
}

/** A scrape under way gets its answer, if its client takes it within `graceMs`; kept connections end. */
function close(server: Server, connections: Connections, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => connections.destroy(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
