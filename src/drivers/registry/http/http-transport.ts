import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { request as requestHttp } from "#lib/node-http.ts";
import { ConnectionFailure, abortError, connectionFailure } from "./failure.ts";
import { HttpAgents, type AgentSettings } from "./http-agents.ts";
import { HttpBody } from "./http-body.ts";

export interface TransportSettings extends AgentSettings {
  /** Until the connection stands, TLS included. */
  connectTimeoutMs: number;
  /** Without a single byte, once the connection stands. */
  stallTimeoutMs: number;
}

export interface HttpRequest {
  method: "GET" | "POST";
  url: URL;
  headers: Readonly<Record<string, string>>;
  body?: string;
  /** False accepts every server certificate. */
  verify: boolean;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  statusText: string;
  headers: IncomingHttpHeaders;
  /** Must be read to its end or discarded, else the connection stays busy until the signal fires. */
  body: HttpBody;
}

/** One HTTP request at a time over kept-alive connections, with time-outs per connection and no policy. */
export class HttpTransport {
  readonly #settings: TransportSettings;
  readonly #agents: HttpAgents;

  constructor(settings: TransportSettings) {
    this.#settings = settings;
    this.#agents = new HttpAgents(settings);
  }

  /**
   * Sends a request and resolves when the headers of its answer are here, whatever the status.
   * @throws ConnectionFailure when there is no answer; DomainError cancelled or deadline-exceeded when the signal fires
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const agent = await this.#agents.agentFor(request.url, request.verify);
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const name = describeRequest(request);
    if (request.signal.aborted) throw abortError(request.signal, name);
    const start = request.url.protocol === "https:" ? requestHttps : requestHttp;
    const outgoing = start(request.url, { method: request.method, headers: requestHeaders(request), agent });
    const abort = () => outgoing.destroy(abortError(request.signal, name));
    request.signal.addEventListener("abort", abort, { once: true });
    // Emitted for every request: when its answer has been read, and when it or its connection was destroyed.
    outgoing.once("close", () => request.signal.removeEventListener("abort", abort));
    using watch = new DisposableStack();
    watch.use(this.#watchProgress(name, outgoing));
    // Made within the event: from here on somebody listens to the errors of the body.
    outgoing.once("response", (message) => resolve(this.#answer(message, name, request.signal)));
    outgoing.on("error", (error) => reject(connectionFailure(name, error)));
    outgoing.end(request.body);
    return await promise;
  }

  #answer(message: IncomingMessage, request: string, signal: AbortSignal): HttpAnswer {
    const { stallTimeoutMs } = this.#settings;
    return {
      status: message.statusCode ?? 0,
      statusText: message.statusMessage ?? "",
      headers: message.headers,
      body: new HttpBody(message, { request, stallTimeoutMs, signal }),
    };
  }

  /** Has certificates read anew for connections from now on. */
  reload(): void {
    this.#agents.reload();
  }

  /** Breaks every connection. */
  close(): void {
    this.#agents.close();
  }

  /**
   * Breaks the request when connecting or waiting for the answer takes too long, until disposed. A request is flushed
   * (`finish`) once its connection stands, TLS handshake and proxy tunnel included: that ends the first phase.
   */
  #watchProgress(name: string, outgoing: ClientRequest): Disposable {
    const { connectTimeoutMs, stallTimeoutMs } = this.#settings;
    const breakAfter = (ms: number, what: string) =>
      setTimeout(() => outgoing.destroy(timeout(`${name}: ${what} within ${ms} ms`)), ms);
    let timer = breakAfter(connectTimeoutMs, "no connection");
    const connected = () => {
      clearTimeout(timer);
      timer = breakAfter(stallTimeoutMs, "no answer");
    };
    outgoing.once("finish", connected);
    return {
      [Symbol.dispose]: () => {
        outgoing.off("finish", connected);
        clearTimeout(timer);
      },
    };
  }
}

/** Method and URL for messages; queries may hold signatures that give access, and user information is a secret. */
export function describeRequest(request: { method: string; url: URL }): string {
  return `${request.method} ${request.url.origin}${request.url.pathname}`;
}

function requestHeaders(request: HttpRequest): Record<string, string> {
  return { "user-agent": "berth", "accept-encoding": "identity", ...request.headers };
}

function timeout(message: string): ConnectionFailure {
  return new ConnectionFailure(message, { reason: "CONNECTION_TIMEOUT", transient: false });
}
