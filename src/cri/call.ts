import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { Runtime } from "#domain/runtime.ts";
import type { StreamingServer } from "#streaming/server.ts";
import type { Answer } from "./encoded-message.ts";

/** The part of the streaming server that makes one-time URLs. */
export type StreamingUrls = Pick<StreamingServer, "execUrl" | "attachUrl" | "portForwardUrl">;

/** What a handler gets besides the request. */
export interface Call {
  readonly runtime: Runtime;
  /** Undefined when this daemon serves no exec, attach and port-forward. */
  readonly streaming: StreamingUrls | undefined;
  /** Aborts when the client hangs up, its deadline passes, or (streams only) the server closes. */
  readonly signal: AbortSignal;
  /** When the client gives up, in milliseconds since the epoch; undefined when it waits for ever. */
  readonly deadlineMs: number | undefined;
}

/** Answers a unary RPC. What it throws becomes the call's status. */
export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => Answer<O> | Promise<Answer<O>>;

/** Yields the messages of a server-streaming RPC. What it throws ends the stream with that status. */
export type StreamHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => Iterable<Answer<O>> | AsyncIterable<Answer<O>>;

/** The handler of a method of a generated service: `Handler<typeof RuntimeService.method.version>`. */
export type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? StreamHandler<I, O>
      : never;
