import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { isAcceptedEncoding } from "./decompress.ts";
import { receiveRequest } from "./receive-request.ts";
import { ServerCall, discardRest } from "./server-call.ts";
import type { GrpcFailure } from "./status-codes.ts";
import { parseTimeoutMs } from "./timeout.ts";

/** Takes the bytes of a request, and ends `call` when it is done. Must not throw. */
export type ServeCall = (request: Buffer, call: ServerCall) => void;

export interface GrpcServerOptions {
  /** By path: `/package.Service/Method`. Every other path answers UNIMPLEMENTED. */
  methods: ReadonlyMap<string, ServeCall>;
  /** Limit of one request, also once it is decompressed. */
  maxReceiveBytes: number;
  /** Limit of one answer; it bounds what a connection may hold back. */
  maxSendBytes: number;
  /** The status of a request that cannot be read. */
  readonly failureOf: (error: unknown) => GrpcFailure;
  /** Told of each call that ends before its method is asked, also by its deadline or its client while its request was arriving. */
  readonly onRefused?: (path: string, failure: GrpcFailure, durationMs: number) => void;
}

/** Room for a large request without waiting for the window to open again; it is the client's to fill, and bounded per connection. */
const windowBytes = 1024 * 1024;

/** Far above what a kubelet has under way, which would wait otherwise; far below what hurts. */
const maxConcurrentStreams = 10_000;

/** Answers of the largest size that a connection may hold back before its new calls are refused. */
const heldBackAnswers = 4;

const bytesPerMegabyte = 1_000_000;
const leastSessionMegabytes = 64;

/**
 * gRPC over HTTP/2, for connections that somebody else accepts: unary and server-streaming calls, each with one request. HTTP/2
 * itself, with its limits on resets, headers, settings and pings, is left to node:http2.
 */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #http2: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Kept for its shape alone: see `#serve`. Whatever can be reached from a call is kept with it, so its request must not be. */
  readonly #lastCall: unknown[] = [];
  #isClosing = false;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#http2 = createServer({
      settings: { initialWindowSize: windowBytes, maxConcurrentStreams },
      maxSessionMemory: Math.max(
        leastSessionMegabytes,
        Math.ceil((heldBackAnswers * options.maxSendBytes) / bytesPerMegabyte),
      ),
    });
    this.#http2.on("session", (session) => this.#onSession(session));
    // A connection that breaks is the client's affair; its calls are told by their streams.
    this.#http2.on("sessionError", () => {});
  }

  /** Serves a connection, of which nothing has been read. */
  accept(socket: Socket): void {
    if (this.#isClosing) socket.destroy();
    else this.#http2.emit("connection", socket);
  }

  /** Says goodbye to the clients: connections take no more calls, and end with the last that is under way. */
  close(): void {
    this.#isClosing = true;
    for (const session of this.#sessions) session.close();
  }

  #onSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    session.on("stream", (stream, headers) => this.#onStream(stream, headers));
    session.setLocalWindowSize(windowBytes);
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const refusal = refusalOf(headers);
    if (refusal !== undefined) {
      refuse(stream, refusal);
      return;
    }
    const path = headers[":path"] ?? "";
    try {
      this.#serve(stream, path, headers);
    } catch (error) {
      this.#refuse(new ServerCall(stream, undefined), path, this.#options.failureOf(error));
    }
  }

  #serve(stream: ServerHttp2Stream, path: string, headers: IncomingHttpHeaders): void {
    const { methods, maxReceiveBytes, failureOf } = this.#options;
    const timeout = headers["grpc-timeout"];
    const call = new ServerCall(stream, typeof timeout === "string" ? parseTimeoutMs(timeout) : undefined);
    // V8 forgets what it has compiled for objects of a shape that none has any more, and a collection at a quiet moment finds no call.
    this.#lastCall.splice(0, 2, call, headers);
    const serve = methods.get(path);
    if (serve === undefined) {
      this.#refuse(call, path, { codeName: "UNIMPLEMENTED", details: `unknown method ${path}` });
      return;
    }
    const encoding = String(headers["grpc-encoding"] ?? "identity");
    if (!isAcceptedEncoding(encoding)) {
      const details = `requests compressed with ${encoding} are not served`;
      this.#refuse(call, path, { codeName: "UNIMPLEMENTED", details });
      return;
    }
    const startedMs = performance.now();
    call.onGone = (reason) => this.#options.onRefused?.(path, failureOf(reason), performance.now() - startedMs);
    receiveRequest(stream, encoding, maxReceiveBytes, {
      // Requests may end after their calls: they take a while to arrive, and to be decompressed.
      received: (request) => {
        if (call.clientHasGone) return;
        call.onGone = undefined;
        serve(request, call);
      },
      refused: (error) => {
        if (!call.clientHasGone) this.#refuse(call, path, failureOf(error));
      },
    });
  }

  #refuse(call: ServerCall, path: string, failure: GrpcFailure): void {
    call.fail(failure);
    this.#options.onRefused?.(path, failure, 0);
  }
}

/** The HTTP status for what is not gRPC; undefined for what is. */
function refusalOf(headers: IncomingHttpHeaders): number | undefined {
  if (headers[":method"] !== "POST") return 405;
  const type = headers["content-type"] ?? "";
  return type === "application/grpc" || /^application\/grpc(\+proto)?(;.*)?$/.test(type) ? undefined : 415;
}

function refuse(stream: ServerHttp2Stream, httpStatus: number): void {
  stream.on("error", () => {});
  stream.respond({ ":status": httpStatus }, { endStream: true });
  discardRest(stream);
}
