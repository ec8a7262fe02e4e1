import { setTimeout as delay } from "node:timers/promises";
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { GrpcCallError, GrpcChannel } from "./grpc/grpc-channel.ts";
import { statusCodes, type CodeName, type GrpcFailure } from "./grpc/status-codes.ts";
import { methodPath } from "./method-path.ts";

export type { CodeName } from "./grpc/status-codes.ts";

/** A call that the server, or the connection to it, answered with an error. */
export class CriCallError extends Error {
  override readonly name = "CriCallError";
  readonly code: number;
  readonly codeName: CodeName;
  /** The server's own words, without the code. */
  readonly details: string;
  /** The RPC's name, e.g. `RunPodSandbox`. */
  readonly rpc: string;

  constructor(rpc: string, { codeName, details }: GrpcFailure, cause?: unknown) {
    super(`${rpc}: ${codeName}: ${details}`, cause === undefined ? undefined : { cause });
    this.code = statusCodes[codeName];
    this.codeName = codeName;
    this.details = details;
    this.rpc = rpc;
  }
}

export interface CallSettings {
  /** The call fails with DEADLINE_EXCEEDED after this time. Without it the client's default holds; 0 means never. */
  timeoutMs?: number;
  /** Hangs up: the call fails with CANCELLED. */
  signal?: AbortSignal;
}

export interface CriClient extends Disposable {
  readonly socketPath: string;
  /** @throws CriCallError */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    settings?: CallSettings,
  ): Promise<MessageShape<O>>;
  /** Yields each message as it comes; leaving the loop early hangs up. @throws CriCallError while iterating */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    settings?: CallSettings,
  ): AsyncIterable<MessageShape<O>>;
  /** Resolves when the server answers Version, which it waits for; @throws CriCallError DEADLINE_EXCEEDED after `timeoutMs` */
  ready(timeoutMs: number): Promise<void>;
  close(): void;
}

export interface ConnectSettings {
  /** For calls that name none; 0, the default, means no deadline. */
  defaultTimeoutMs?: number;
}

/** Messages of the CRI are bounded by the server at 80 MiB; a client that took less could not list what it serves. */
const maxMessageBytes = 80 * 1024 * 1024;

/** Between two attempts to reach a server that is not there yet. */
const retryMs = 50;

/** A client for CRI v1 on a unix socket. Connects lazily, with the first call, and again when the connection is lost. */
export function connect(socketPath: string, settings: ConnectSettings = {}): CriClient {
  const channel = new GrpcChannel(socketPath, maxMessageBytes);
  const stream = <I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    request: MessageInitShape<I>,
    call: CallSettings = {},
  ): AsyncGenerator<MessageShape<O>> => {
    const timeoutMs = call.timeoutMs ?? settings.defaultTimeoutMs ?? 0;
    return messages(channel, method, request, timeoutMs, call.signal);
  };
  const call: CriClient["call"] = (method, request, callSettings) =>
    only(method, stream(method, request, callSettings));
  return {
    socketPath,
    call,
    stream,
    ready: (timeoutMs) =>
      answersWithin(timeoutMs, (left) => call(RuntimeService.method.version, {}, { timeoutMs: left })),
    close: () => channel.close(),
    [Symbol.dispose]: () => channel.close(),
  };
}

async function* messages<I extends DescMessage, O extends DescMessage>(
  channel: GrpcChannel,
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<O>> {
  const answers = channel.call({
    path: methodPath(method),
    request: toBinary(method.input, create(method.input, request)),
    timeoutMs: timeoutMs > 0 ? timeoutMs : undefined,
    signal,
  });
  try {
    for await (const bytes of answers) yield fromBinary(method.output, bytes);
  } catch (error) {
    throw error instanceof GrpcCallError ? new CriCallError(method.name, error.failure, error) : error;
  }
}

/** The one message of a unary call, whose status has to be OK too. */
async function only<T>(method: DescMethod, stream: AsyncGenerator<T>): Promise<T> {
  const [message] = await Array.fromAsync(stream);
  if (message !== undefined) return message;
  throw new CriCallError(method.name, { codeName: "INTERNAL", details: "the server answered with no message" });
}

/** Resolves when `ask`, which gets the time that is left, succeeds; only a server that cannot be reached is asked again. */
async function answersWithin(timeoutMs: number, ask: (leftMs: number) => Promise<unknown>): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const leftMs = endMs - Date.now();
    try {
      await ask(Math.max(1, leftMs));
      return;
    } catch (error) {
      if (!(error instanceof CriCallError) || error.codeName !== "UNAVAILABLE") throw error;
      if (leftMs <= retryMs) {
        const details = `nobody answered within ${timeoutMs} ms: ${error.details}`;
        throw new CriCallError(error.rpc, { codeName: "DEADLINE_EXCEEDED", details }, error);
      }
    }
    await delay(retryMs);
  }
}
