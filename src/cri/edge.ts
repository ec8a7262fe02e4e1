import { once } from "node:events";
import type { DescMessage, DescMethod, Message, MessageShape } from "@bufbuild/protobuf";
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { DomainError, kindOf, type ErrorKind } from "#errors/domain-error.ts";
import type { Runtime } from "#domain/runtime.ts";
import type { Logger, LogLevel } from "#observability/logger.ts";
import type { Call, StreamHandler, StreamingUrls, UnaryHandler } from "./call.ts";
import { describeRequest } from "./describe-request.ts";
import { encodeAnswer } from "./encoded-message.ts";
import { statusOf, type CodeName, type FailureStatus } from "./status.ts";
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
}

/** What the edge needs to know of a method. */
type Method<I extends DescMessage, O extends DescMessage> = Pick<DescMethod, "name"> & { input: I; output: O };

type GrpcCall = Pick<ServerUnaryCall<Message, Buffer>, "getDeadline" | "cancelled" | "request"> & {
  on(event: "cancelled", listener: () => void): unknown;
};

/**
 * The one place that every call passes, so that handlers only translate and call the domain: ids for logs, duration,
 * metrics, the client's deadline and the status of what is thrown.
 */
export class Edge {
  readonly #options: EdgeOptions;
  readonly #streams = new Set<AbortController>();
  #calls = 0;

  constructor(options: EdgeOptions) {
    this.#options = options;
  }

  /** What grpc-js calls for a unary RPC. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    handler: UnaryHandler<I, O>,
  ): handleUnaryCall<Message, Buffer> {
    const serve = async (call: ServerUnaryCall<Message, Buffer>, done: sendUnaryData<Buffer>): Promise<void> => {
      const observed = this.#observe(method, call, new AbortController());
      try {
        const answer = encodeAnswer(method.output, await handler(call.request as MessageShape<I>, observed.call));
        observed.ended(undefined);
        done(null, answer);
      } catch (error) {
        done(observed.ended(error));
      }
    };
    return (call, done) => void serve(call, done);
  }

  /** What grpc-js calls for a server-streaming RPC. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    handler: StreamHandler<I, O>,
  ): handleServerStreamingCall<Message, Buffer> {
    const serve = async (call: ServerWritableStream<Message, Buffer>): Promise<void> => {
      const abort = new AbortController();
      const { signal } = abort;
      this.#streams.add(abort);
      const observed = this.#observe(method, call, abort);
      try {
        for await (const answer of handler(call.request as MessageShape<I>, observed.call)) {
          signal.throwIfAborted();
          if (!call.write(encodeAnswer(method.output, answer))) await once(call, "drain", { signal });
        }
        signal.throwIfAborted();
        observed.ended(undefined);
        call.end();
      } catch (error) {
        call.emit("error", observed.ended(signal.aborted ? signal.reason : error));
      } finally {
        this.#streams.delete(abort);
      }
    };
    return (call) => void serve(call);
  }

  /** Ends the streams under way with `unavailable`; those of events would otherwise never end. */
  endStreams(): void {
    for (const stream of this.#streams) stream.abort(new DomainError("unavailable", "the daemon is shutting down"));
  }

  #observe(method: Method<DescMessage, DescMessage>, grpcCall: GrpcCall, abort: AbortController) {
    const startedMs = performance.now();
    const requestId = ++this.#calls;
    const { runtime, streaming, metrics } = this.#options;
    const logger = this.#options.logger.child({ requestId, rpc: method.name, ...subjectOf(grpcCall.request) });
    logger.debug("CRI request", {
      // A getter, so that nothing is described when debug lines are not written.
      get request() {
        return describeRequest(method.input, grpcCall.request);
      },
    });
    grpcCall.on("cancelled", () => abort.abort(new DomainError("cancelled", "the client has gone")));
    const call: Call = {
      runtime,
      streaming,
      logger,
      signal: abort.signal,
      deadlineMs: deadlineMs(grpcCall.getDeadline()),
    };
    const ended = (error: unknown): FailureStatus | null => {
      const failure = error === undefined ? null : statusOf(error);
      const durationMs = performance.now() - startedMs;
      metrics?.onOperation(method.name, durationMs, failure?.codeName);
      logEnd(logger, durationMs, grpcCall.cancelled, failure, error);
      return failure;
    };
    return { call, ended };
  }
}

/** grpc-js has infinity for a call without a deadline. */
function deadlineMs(deadline: Date | number): number | undefined {
  const atMs = Number(deadline);
  return Number.isFinite(atMs) ? atMs : undefined;
}

function logEnd(
  logger: Logger,
  durationMs: number,
  clientHasGone: boolean,
  failure: FailureStatus | null,
  error: unknown,
): void {
  const fields = { durationMs: Math.round(durationMs * 10) / 10, ...(clientHasGone ? { clientHasGone } : {}) };
  if (failure === null) {
    logger.debug("CRI request done", fields);
    return;
  }
  logger[levelOf(kindOf(error))]("CRI request failed", { ...fields, code: failure.codeName, error });
}

const ourFaults: ReadonlySet<ErrorKind> = new Set(["internal", "data-loss"]);
const everydayAnswers: ReadonlySet<ErrorKind> = new Set(["not-found", "cancelled", "unimplemented"]);

function levelOf(kind: ErrorKind): LogLevel {
  if (ourFaults.has(kind)) return "error";
  return everydayAnswers.has(kind) ? "debug" : "warn";
}
