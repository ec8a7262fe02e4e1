import { fromBinary, type DescMessage, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import type { Runtime } from "#domain/runtime.ts";
import { DomainError, kindOf, messageOf, type ErrorKind } from "#errors/domain-error.ts";
import type { LogFields, Logger, LogLevel } from "#observability/logger.ts";
import type { Call, StreamHandler, StreamingUrls, UnaryHandler } from "./call.ts";
import { describeRequest } from "./describe-request.ts";
import { encodeAnswer, type Answer } from "./encoded-message.ts";
import type { ServeCall } from "./grpc/grpc-server.ts";
import { prefixBytes, tooLong } from "./grpc/message-frame.ts";
import type { ServerCall } from "./grpc/server-call.ts";
import type { CodeName, GrpcFailure } from "./grpc/status-codes.ts";
import { statusOf } from "./status.ts";
import { subjectOf } from "./subject.ts";

/** Told of every call when it has ended. `errorCode` is undefined for a call that succeeded. */
export interface OperationMetrics {
  onOperation(name: string, durationMs: number, errorCode: CodeName | undefined): void;
}

export interface EdgeOptions {
  runtime: Runtime;
  streaming: StreamingUrls | undefined;
  logger: Logger;
  metrics: OperationMetrics | undefined;
  /** Limit of one message to the client. */
  maxSendBytes: number;
}

/** What the edge needs to know of a method. */
type Method<I extends DescMessage, O extends DescMessage> = Pick<DescMethod, "name"> & { input: I; output: O };

/**
 * The one place that every call passes, so that handlers only translate and call the domain: ids for logs, duration,
 * metrics, the client's deadline and the status of what is thrown. Those that no handler sees pass `refused`.
 */
export class Edge {
  readonly #options: EdgeOptions;
  readonly #streams = new Set<ServerCall>();
  /** Why streams are ended, once they are. */
  #closing: DomainError | undefined;
  #calls = 0;

  constructor(options: EdgeOptions) {
    this.#options = options;
  }

  /** Serves a unary RPC. What is answered without waiting, as lists and statuses are, is sent without waiting. */
  unary<I extends DescMessage, O extends DescMessage>(method: Method<I, O>, handler: UnaryHandler<I, O>): ServeCall {
    return (bytes, grpc) => {
      const request = this.#parse(method, bytes, grpc);
      if (request === undefined) return;
      const observed = this.#observe(method, request, grpc);
      const fail = (error: unknown): void => grpc.fail(observed.failed(error));
      const answer = (message: Answer<O>): void => {
        const frame = this.#encode(method.output, message);
        // Only what was sent has succeeded: sending may fail too.
        grpc.answer(frame);
        observed.succeeded();
      };
      try {
        const answered = handler(request, observed);
        if (answered instanceof Promise) answered.then(answer).catch(fail);
        else answer(answered);
      } catch (error) {
        fail(error);
      }
    };
  }

  /** Serves a server-streaming RPC. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    handler: StreamHandler<I, O>,
  ): ServeCall {
    const serve = async (request: MessageShape<I>, grpc: ServerCall): Promise<void> => {
      const { signal } = grpc;
      this.#streams.add(grpc);
      // Its request may come long after its headers.
      if (this.#closing !== undefined) grpc.abort(this.#closing);
      const observed = this.#observe(method, request, grpc);
      try {
        signal.throwIfAborted();
        for await (const answer of handler(request, observed)) {
          signal.throwIfAborted();
          if (!grpc.write(this.#encode(method.output, answer))) await grpc.drained();
        }
        signal.throwIfAborted();
        grpc.end();
        observed.succeeded();
      } catch (error) {
        grpc.fail(observed.failed(signal.aborted ? signal.reason : error));
      } finally {
        this.#streams.delete(grpc);
      }
    };
    return (bytes, grpc) => {
      const request = this.#parse(method, bytes, grpc);
      if (request !== undefined) void serve(request, grpc);
    };
  }

  /** Ends streams, those under way and later ones, with `unavailable`; those of events would otherwise never end. */
  endStreams(): void {
    const reason = new DomainError("unavailable", "the daemon is shutting down");
    this.#closing = reason;
    for (const stream of this.#streams) stream.abort(reason);
  }

  /** Notes a call of `rpc` that no handler has seen, which took no time worth telling unless its client went meanwhile. */
  refused(rpc: string, { codeName, details }: GrpcFailure, durationMs = 0): void {
    const { logger, metrics } = this.#options;
    metrics?.onOperation(rpc, durationMs, codeName);
    // What is not served is what newer clients try.
    const level = codeName === "UNIMPLEMENTED" || codeName === "CANCELLED" ? "debug" : "warn";
    logger[level]("CRI request refused", { rpc, code: codeName, error: details });
  }

  #parse<I extends DescMessage>(
    { name, input }: Method<I, DescMessage>,
    bytes: Buffer,
    grpc: ServerCall,
  ): MessageShape<I> | undefined {
    try {
      return fromBinary(input, bytes);
    } catch (error) {
      const details = `the request is no ${input.typeName}: ${messageOf(error)}`;
      const failure: GrpcFailure = { codeName: "INTERNAL", details };
      grpc.fail(failure);
      this.refused(name, failure);
      return undefined;
    }
  }

  #encode<O extends DescMessage>(schema: O, answer: Answer<O>): Buffer {
    const frame = encodeAnswer(schema, answer);
    const { maxSendBytes } = this.#options;
    if (frame.length - prefixBytes > maxSendBytes) throw tooLong(frame.length - prefixBytes, maxSendBytes);
    return frame;
  }

  #observe<I extends DescMessage>(
    method: Method<I, DescMessage>,
    request: MessageShape<I>,
    grpc: ServerCall,
  ): ObservedCall {
    const observed = new ObservedCall(this.#options, method.name, ++this.#calls, subjectOf(request), grpc);
    this.#options.logger.debug("CRI request", {
      ...observed.context,
      // A getter, so that nothing is described when debug lines are not written.
      get request() {
        return describeRequest(method.input, request);
      },
    });
    return observed;
  }
}

/** A call as its handler sees it, and what is noted when it ends. */
class ObservedCall implements Call {
  readonly runtime: Runtime;
  readonly streaming: StreamingUrls | undefined;
  /** What its log lines carry. */
  readonly context: LogFields;
  readonly #logger: Logger;
  readonly #rpc: string;
  readonly #metrics: OperationMetrics | undefined;
  readonly #grpc: ServerCall;
  readonly #startedMs = performance.now();

  constructor(options: EdgeOptions, rpc: string, requestId: number, subject: object, grpc: ServerCall) {
    this.runtime = options.runtime;
    this.streaming = options.streaming;
    this.#logger = options.logger;
    this.context = { requestId, rpc, ...subject };
    this.#rpc = rpc;
    this.#metrics = options.metrics;
    this.#grpc = grpc;
  }

  get signal(): AbortSignal {
    return this.#grpc.signal;
  }

  get deadlineMs(): number | undefined {
    return this.#grpc.deadlineMs;
  }

  succeeded(): void {
    const durationMs = performance.now() - this.#startedMs;
    this.#metrics?.onOperation(this.#rpc, durationMs, undefined);
    this.#logger.debug("CRI request done", { ...this.context, ...this.#fields(durationMs) });
  }

  /** The status for what was thrown. */
  failed(error: unknown): GrpcFailure {
    const durationMs = performance.now() - this.#startedMs;
    const failure = statusOf(error);
    this.#metrics?.onOperation(this.#rpc, durationMs, failure.codeName);
    const fields = { ...this.context, ...this.#fields(durationMs), code: failure.codeName, error };
    this.#logger[levelOf(kindOf(error))]("CRI request failed", fields);
    return failure;
  }

  #fields(durationMs: number) {
    const { clientHasGone } = this.#grpc;
    return { durationMs: Math.round(durationMs * 10) / 10, ...(clientHasGone ? { clientHasGone } : {}) };
  }
}

const ourFaults: ReadonlySet<ErrorKind> = new Set(["internal", "data-loss"]);
const everydayAnswers: ReadonlySet<ErrorKind> = new Set(["not-found", "cancelled", "unimplemented"]);

function levelOf(kind: ErrorKind): LogLevel {
  if (ourFaults.has(kind)) return "error";
  return everydayAnswers.has(kind) ? "debug" : "warn";
}
