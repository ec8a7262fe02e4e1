import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import { isIPv6, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { Connections } from "#lib/connections.ts";
import { createServer as createHttpServer } from "#lib/node-http.ts";
import { readTlsFiles, type TlsFiles, tlsFilesVersion } from "#lib/tls-files.ts";
import type { Logger } from "#observability/logger.ts";
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamingBackend } from "./backend.ts";
import { GonePeerSweeper } from "./gone-peers.ts";
import { type StreamingRequest, validate } from "./open-requests.ts";
import { defaultStreamingOptions, type StreamingOptions } from "./options.ts";
import { PendingRequests } from "./pending-requests.ts";
import { openSessions, SessionRegistry } from "./sessions.ts";
import { refuse, Upgrader } from "./upgrade.ts";

/** How much the server has to do. */
export interface StreamingStats {
  /** URLs that wait for their client. */
  readonly pending: number;
  /** Connections in use, or still being undone. */
  readonly sessions: number;
}

/**
 * Serves the one-time URLs that the CRI's Exec, Attach and PortForward answer with. The same interface whether the
 * server runs in this thread (`createStreamingServer`) or in a worker (`startStreamingWorker`).
 */
export interface StreamingServer {
  /** Starts to listen. Rejects with unavailable when the address cannot be had, invalid-argument for bad TLS files. */
  listen(): Promise<{ host: string; port: number }>;
  /** Each promises a URL good for one session. Rejects with invalid-argument or resource-exhausted. */
  execUrl(request: ExecRequest): Promise<string>;
  attachUrl(request: AttachRequest): Promise<string>;
  portForwardUrl(request: PortForwardRequest): Promise<string>;
  /** Reads the TLS files again now. Rejects, and keeps the old ones, when they are not usable. */
  reloadTls(): Promise<void>;
  stats(): Promise<StreamingStats>;
  /** Stops listening, ends all sessions and waits a moment for their backends. */
  close(): Promise<void>;
}

const tlsCheckIntervalMs = 60_000;
/** How long `close` waits for backends that were told to stop. */
const closeGraceMs = 5_000;
const keepAliveMs = 30_000;

/** A server in this thread. `options` may leave out what has a default. */
export function createStreamingServer(
  options: Partial<StreamingOptions>,
  backend: StreamingBackend,
  logger: Logger,
): StreamingServer {
  return new InThreadStreamingServer({ ...defaultStreamingOptions, ...options }, backend, logger);
}

class InThreadStreamingServer implements StreamingServer {
  readonly #options: StreamingOptions;
  readonly #backend: StreamingBackend;
  readonly #logger: Logger;
  readonly #pending: PendingRequests<StreamingRequest>;
  readonly #sessions = new SessionRegistry();
  readonly #gonePeers = new GonePeerSweeper();
  readonly #upgrader: Upgrader;
  #server: Server | HttpsServer | undefined;
  #connections: Connections | undefined;
  #baseUrl: string | undefined;
  #tlsTimer: NodeJS.Timeout | undefined;
  #tlsVersion = "";
  #closing: Promise<void> | undefined;

  constructor(options: StreamingOptions, backend: StreamingBackend, logger: Logger) {
    this.#options = options;
    this.#backend = backend;
    this.#logger = logger;
    this.#pending = new PendingRequests(options.tokenTtlMs, options.maxPending);
    this.#upgrader = new Upgrader(this.#pending, openSessions(this.#sessions, backend, options, logger));
  }

  async listen(): Promise<{ host: string; port: number }> {
    const { address, port, tls } = this.#options;
    const server = tls === undefined ? createHttpServer() : await this.#secureServer(tls);
    server.on("request", answerRequest);
    server.on("upgrade", (message, socket, head) => {
      if (socket instanceof Socket) {
        socket.setTimeout(0).setNoDelay().setKeepAlive(true, keepAliveMs);
        this.#gonePeers.watch(socket);
      }
      this.#upgrader.handle(message, socket, head);
    });
    const connections = new Connections(server);
    const bound = await bind(server, address, port);
    this.#server = server;
    this.#connections = connections;
    const host = isIPv6(address)
      ? `[${address === "::" ? "::1" : address}]`
      : address === "0.0.0.0"
        ? "127.0.0.1"
        : address;
    this.#baseUrl = `${tls === undefined ? "http" : "https"}://${host}:${bound}`;
    if (tls !== undefined) this.#watchTls(tls);
    return { host: address, port: bound };
  }

  async execUrl(request: ExecRequest): Promise<string> {
    return this.#urlFor({ verb: "exec", request });
  }

  async attachUrl(request: AttachRequest): Promise<string> {
    return this.#urlFor({ verb: "attach", request });
  }

  async portForwardUrl(request: PortForwardRequest): Promise<string> {
    return this.#urlFor({ verb: "portforward", request });
  }

  async reloadTls(): Promise<void> {
    const { tls } = this.#options;
    if (tls === undefined || !(this.#server instanceof HttpsServer)) return;
    const version = await tlsFilesVersion(tls);
    const context = await readTlsFiles(tls);
    try {
      this.#server.setSecureContext(context);
    } catch (error) {
      const message = `TLS files ${tls.certPath} and ${tls.keyPath} are not usable: ${messageOf(error)}`;
      throw new DomainError("invalid-argument", message, { cause: error });
    }
    this.#tlsVersion = version;
  }

  async stats(): Promise<StreamingStats> {
    return { pending: this.#pending.size, sessions: this.#sessions.size };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#tlsTimer);
    this.#baseUrl = undefined;
    const stopped = Promise.withResolvers<void>();
    if (this.#server === undefined) stopped.resolve();
    else this.#server.close(() => stopped.resolve());
    this.#server?.closeAllConnections();
    const ended = this.#sessions.closeAll(new DomainError("cancelled", "the streaming server is shutting down"));
    const grace = new AbortController();
    await Promise.race([ended, delay(closeGraceMs, undefined, { signal: grace.signal }).catch(() => {})]);
    grace.abort();
    // A client that never ends its TLS handshake is among them.
    this.#connections?.destroy();
    await stopped.promise;
    await this.#backend.close?.();
  }

  #urlFor(request: StreamingRequest): string {
    if (this.#baseUrl === undefined) throw new DomainError("unavailable", "the streaming server is not listening");
    validate(request);
    return `${this.#baseUrl}/${request.verb}/${this.#pending.add(request)}`;
  }

  async #secureServer(tls: TlsFiles): Promise<HttpsServer> {
    this.#tlsVersion = await tlsFilesVersion(tls);
    const context = await readTlsFiles(tls);
    const verifiesClients = tls.caPath !== undefined;
    try {
      return createHttpsServer({ ...context, requestCert: verifiesClients, rejectUnauthorized: verifiesClients });
    } catch (error) {
      const message = `TLS files ${tls.certPath} and ${tls.keyPath} are not usable: ${messageOf(error)}`;
      throw new DomainError("invalid-argument", message, { cause: error });
    }
  }

  /** Looks at the files from time to time: a rotated certificate is mounted over the old one without any signal. */
  #watchTls(tls: TlsFiles): void {
    this.#tlsTimer = setInterval(() => {
      void tlsFilesVersion(tls)
        .then((version) => (version === this.#tlsVersion ? undefined : this.reloadTls()))
        .catch((error: unknown) => this.#logger.warn("kept the old streaming certificate", { error }));
    }, tlsCheckIntervalMs);
    this.#tlsTimer.unref();
  }
}

/** Answers what is no upgrade, in plain text. */
function answerRequest(message: IncomingMessage, response: ServerResponse): void {
  const [status, text, headers] = refuse(message) ?? [400, "unable to upgrade"];
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close", ...headers });
  response.end(`${text}\n`);
}

function bind(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    // Later ones are of connections that cannot be accepted, which must not end the server.
    server.on("error", (error) => {
      const kind = hasErrno(error, "EADDRINUSE", "EADDRNOTAVAIL", "EACCES") ? "unavailable" : "internal";
      const message = `streaming server cannot listen on ${address} port ${port}: ${error.message}`;
      reject(new DomainError(kind, message, { cause: error }));
    });
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
