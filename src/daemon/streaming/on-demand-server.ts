import type { StreamingUrls } from "#cri/call.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { StreamingServer } from "#streaming/server.ts";

/** How often a server that may be idle is looked at. */
const lookIntervalMs = 60_000;

/**
 * A streaming server that is there while it is needed: its thread costs more memory than most nodes' sessions are worth. It is
 * started for the first URL and stopped after a while without URLs and sessions.
 */
export class OnDemandServer implements StreamingUrls {
  readonly #create: () => StreamingServer;
  readonly #logger: Logger;
  readonly #idleMs: number;
  #server: Promise<StreamingServer> | undefined;
  /** The end of the server before, whose port is free only then. */
  #stopped: Promise<void> = Promise.resolve();
  #urlsUnderWay = 0;
  #usedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(create: () => StreamingServer, idleMs: number, logger: Logger) {
    this.#create = create;
    this.#idleMs = idleMs;
    this.#logger = logger;
  }

  execUrl: StreamingUrls["execUrl"] = (request) => this.#url((server) => server.execUrl(request));
  attachUrl: StreamingUrls["attachUrl"] = (request) => this.#url((server) => server.attachUrl(request));
  portForwardUrl: StreamingUrls["portForwardUrl"] = (request) => this.#url((server) => server.portForwardUrl(request));

  /** Reads the TLS files again; a server that is started later reads them anyway. */
  async reloadTls(): Promise<void> {
    await (await this.#server)?.reloadTls();
  }

  /** Ends all sessions; no URL is made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stop();
  }

  async #url(make: (server: StreamingServer) => Promise<string>): Promise<string> {
    if (this.#closed) throw new DomainError("unavailable", "the streaming server was closed");
    this.#urlsUnderWay += 1;
    try {
      this.#server ??= this.#start();
      return await make(await this.#server);
    } finally {
      this.#urlsUnderWay -= 1;
      this.#usedAtMs = performance.now();
    }
  }

  async #start(): Promise<StreamingServer> {
    await this.#stopped;
    const server = this.#create();
    try {
      const { host, port } = await server.listen();
      this.#logger.info("streaming server started", { host, port });
      // Who has closed it meanwhile waits for it only to end it.
      if (!this.#closed) this.#lookAt(server);
      return server;
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  #lookAt(server: StreamingServer): void {
    this.#timer = setInterval(() => void this.#stopIfIdle(server), Math.min(lookIntervalMs, this.#idleMs)).unref();
  }

  async #stopIfIdle(server: StreamingServer): Promise<void> {
    try {
      const { pending, sessions } = await server.stats();
      if (pending + sessions > 0) this.#usedAtMs = performance.now();
      if (this.#urlsUnderWay > 0 || this.#closed || performance.now() - this.#usedAtMs < this.#idleMs) return;
      await this.#stop();
    } catch (error) {
      this.#logger.warn("cannot tell whether the streaming server is idle", { error: messageOf(error) });
    }
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    clearInterval(this.#timer);
    if (server === undefined) return this.#stopped;
    const closing = server.then(
      (started) => started.close(),
      // It never started, which whoever wanted it was told.
      () => {},
    );
    this.#stopped = closing.catch(() => {});
    await closing;
  }
}
