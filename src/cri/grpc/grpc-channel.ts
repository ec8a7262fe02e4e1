import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectSocket } from "node:net";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";
import { frameOf, MessageReader } from "./message-frame.ts";
import { codeNameOf, type CodeName, type GrpcFailure } from "./status-codes.ts";
import { decodeStatusMessage } from "./status-message.ts";
import { formatTimeout } from "./timeout.ts";

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_REFUSED_STREAM } = constants;

/** Room for a long list in one go, as clients have it that measure what a connection can take (grpc-go). */
const windowBytes = 1024 * 1024;

/** A call that ended with anything but OK. */
export class GrpcCallError extends Error {
  override readonly name = "GrpcCallError";
  readonly failure: GrpcFailure;

  constructor(failure: GrpcFailure, cause?: unknown) {
    super(`${failure.codeName}: ${failure.details}`, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

export interface ChannelCall {
  /** `/package.Service/Method` */
  path: string;
  request: Uint8Array;
  /** The call fails with DEADLINE_EXCEEDED after this time; undefined for never. */
  timeoutMs: number | undefined;
  /** Hangs up: the call fails with CANCELLED. */
  signal: AbortSignal | undefined;
}

/** gRPC to a server on a unix socket. Connects with the first call, and again when the connection is lost. */
export class GrpcChannel {
  readonly #socketPath: string;
  readonly #maxReceiveBytes: number;
  #session: ClientHttp2Session | undefined;
  #calls = 0;

  /** `maxReceiveBytes` is the limit of one message. */
  constructor(socketPath: string, maxReceiveBytes: number) {
    this.#socketPath = socketPath;
    this.#maxReceiveBytes = maxReceiveBytes;
  }

  /** Yields the messages of the answer as they come; leaving the loop early hangs up. @throws GrpcCallError while iterating */
  async *call(call: ChannelCall): AsyncGenerator<Buffer> {
    if (call.signal?.aborted === true) throw new GrpcCallError(hungUp);
    const session = this.#connected();
    const stream = session.request({
      ":method": "POST",
      // The socket's path would be none that HTTP/2 servers accept.
      ":authority": "localhost",
      ":path": call.path,
      "content-type": "application/grpc",
      te: "trailers",
      ...(call.timeoutMs === undefined ? {} : { "grpc-timeout": formatTimeout(call.timeoutMs) }),
    });
    const outcome = new Outcome(stream, call);
    stream.end(frameOf([call.request]));
    this.#calls += 1;
    session.ref();
    try {
      yield* this.#messages(stream, outcome);
    } finally {
      outcome[Symbol.dispose]();
      this.#calls -= 1;
      if (this.#calls === 0) session.unref();
    }
  }

  /** Calls under way go on. */
  close(): void {
    this.#session?.close();
  }

  async *#messages(stream: ClientHttp2Stream, outcome: Outcome): AsyncGenerator<Buffer> {
    const reader = new MessageReader(this.#maxReceiveBytes);
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        reader.push(chunk);
        for (let message = reader.next(); message !== undefined; message = reader.next()) yield message.bytes;
      }
    } catch (error) {
      throw await outcome.failed(error);
    }
    await outcome.succeeded();
  }

  #connected(): ClientHttp2Session {
    const known = this.#session;
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connect("http://localhost", {
      createConnection: () => connectSocket(this.#socketPath),
      settings: { enablePush: false, initialWindowSize: windowBytes },
    });
    session.once("connect", () => session.setLocalWindowSize(windowBytes));
    // Its calls are told by their streams.
    session.on("error", () => {});
    this.#session = session;
    return session;
  }
}

const hungUp: GrpcFailure = { codeName: "CANCELLED", details: "the call was given up" };

/** What is known of how a call ended, and who may end it: its deadline, its signal. */
class Outcome implements Disposable {
  readonly #stream: ClientHttp2Stream;
  readonly #closed: Promise<unknown>;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #hangUp = (): void => this.#giveUp(hungUp);
  /** Of ours; the server's status does not count any more. */
  #givenUp: GrpcFailure | undefined;
  #status: IncomingHttpHeaders | undefined;
  #httpStatus: number | undefined;

  constructor(stream: ClientHttp2Stream, { timeoutMs, signal }: ChannelCall) {
    this.#stream = stream;
    this.#signal = signal;
    this.#closed = new Promise((resolve) => stream.once("close", resolve));
    stream.on("error", () => {});
    stream.once("response", (headers) => {
      this.#httpStatus = headers[":status"];
      if (headers["grpc-status"] !== undefined) this.#status = headers;
    });
    stream.once("trailers", (trailers) => (this.#status ??= trailers));
    signal?.addEventListener("abort", this.#hangUp);
    if (timeoutMs !== undefined && timeoutMs <= longestTimerMs) {
      const details = `there was no answer within ${timeoutMs} ms`;
      this.#timer = setTimeout(() => this.#giveUp({ codeName: "DEADLINE_EXCEEDED", details }), timeoutMs);
    }
  }

  /** Resolves when the server has said OK. @throws GrpcCallError */
  async succeeded(): Promise<void> {
    await this.#closed;
    const failure = this.#givenUp ?? this.#failureOfStatus();
    if (failure !== undefined) throw new GrpcCallError(failure);
  }

  /** What to throw when reading failed with `error`. */
  async failed(error: unknown): Promise<GrpcCallError> {
    if (error instanceof DomainError) {
      const codeName = error.kind === "resource-exhausted" ? "RESOURCE_EXHAUSTED" : "INTERNAL";
      return new GrpcCallError({ codeName, details: error.message }, error);
    }
    await this.#closed;
    const known = this.#givenUp ?? (this.#status && this.#failureOfStatus());
    return new GrpcCallError(known ?? failureOfStream(this.#stream, error), error);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#hangUp);
    if (!this.#stream.closed) this.#stream.close(NGHTTP2_CANCEL);
  }

  #giveUp(failure: GrpcFailure): void {
    this.#givenUp ??= failure;
    this.#stream.close(NGHTTP2_CANCEL);
  }

  #failureOfStatus(): GrpcFailure | undefined {
    const code = this.#status?.["grpc-status"];
    if (code === "0") return undefined;
    if (code !== undefined) {
      const details = decodeStatusMessage(String(this.#status?.["grpc-message"] ?? ""));
      return { codeName: codeNameOf(Number(code)), details };
    }
    if (this.#httpStatus === undefined || this.#httpStatus === 200)
      return lost("the connection ended without a status");
    return { codeName: "UNKNOWN", details: `the server answered with the HTTP status ${this.#httpStatus}` };
  }
}

function lost(details: string): GrpcFailure {
  return { codeName: "UNAVAILABLE", details };
}

const codeOfReset: Readonly<Record<number, CodeName>> = {
  [NGHTTP2_CANCEL]: "CANCELLED",
  [NGHTTP2_REFUSED_STREAM]: "UNAVAILABLE",
  [NGHTTP2_ENHANCE_YOUR_CALM]: "RESOURCE_EXHAUSTED",
};

function failureOfStream(stream: ClientHttp2Stream, error: unknown): GrpcFailure {
  const wasReset = error instanceof Error && "code" in error && error.code === "ERR_HTTP2_STREAM_ERROR";
  // HTTP/2 wraps the reason why it could not connect.
  if (!wasReset) return lost(messageOf(error instanceof Error ? (error.cause ?? error) : error));
  const code = stream.rstCode ?? 0;
  return {
    codeName: codeOfReset[code] ?? "INTERNAL",
    details: `the server reset the call with the HTTP/2 error ${code}`,
  };
}
