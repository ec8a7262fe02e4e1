import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Client, Metadata, credentials, status, type CallOptions, type ServiceError } from "@grpc/grpc-js";
import { RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { methodPath } from "./method-path.ts";

/** Name of a gRPC status code, as the gRPC specification spells it. */
export type CodeName = keyof typeof status;

/** A call that the server, or the connection to it, answered with an error. */
export class CriCallError extends Error {
  override readonly name = "CriCallError";
  readonly code: number;
  readonly codeName: CodeName;
  /** The server's own words, without the code. */
  readonly details: string;
  /** The RPC's name, e.g. `RunPodSandbox`. */
  readonly rpc: string;

  constructor(rpc: string, error: ServiceError) {
    const codeName = (status[error.code] ?? "UNKNOWN") as CodeName;
    super(`${rpc}: ${codeName}: ${error.details}`, { cause: error });
    this.code = error.code;
    this.codeName = codeName;
    this.details = error.details;
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

/** A client for CRI v1 on a unix socket. Connects lazily, with the first call, and again when the connection is lost. */
export function connect(socketPath: string, settings: ConnectSettings = {}): CriClient {
  const channel = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    // Without this grpc-js sends the socket's path, percent-encoded, which HTTP/2 servers refuse as an authority.
    "grpc.default_authority": "localhost",
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A client made after a failed attempt must not inherit that one's back-off.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
  });
  const optionsFor = (call: CallSettings): CallOptions => {
    const timeoutMs = call.timeoutMs ?? settings.defaultTimeoutMs ?? 0;
    return timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
  };
  return {
    socketPath,
    call: (method, request, call = {}) => unary(channel, method, request, optionsFor(call), call.signal),
    stream: (method, request, call = {}) => serverStream(channel, method, request, optionsFor(call), call.signal),
    ready: async (timeoutMs) => {
      const settings = { deadline: Date.now() + timeoutMs };
      await unary(
        channel,
        RuntimeService.method.version,
        {},
        settings,
        undefined,
        new Metadata({ waitForReady: true }),
      );
    },
    close: () => channel.close(),
    [Symbol.dispose]: () => channel.close(),
  };
}

function unary<I extends DescMessage, O extends DescMessage>(
  channel: Client,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
  signal: AbortSignal | undefined,
  metadata = new Metadata(),
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    const call = channel.makeUnaryRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      create(method.input, request),
      metadata,
      options,
      (error, response) => {
        signal?.removeEventListener("abort", hangUp);
        if (error !== null) reject(new CriCallError(method.name, error));
        else if (response !== undefined) resolve(response);
      },
    );
    const hangUp = (): void => call.cancel();
    if (signal?.aborted === true) hangUp();
    else signal?.addEventListener("abort", hangUp, { once: true });
  });
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  channel: Client,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<O>> {
  const call = channel.makeServerStreamRequest(
    methodPath(method),
    serializer(method.input),
    deserializer(method.output),
    create(method.input, request),
    new Metadata(),
    options,
  );
  const hangUp = (): void => call.cancel();
  if (signal?.aborted === true) hangUp();
  else signal?.addEventListener("abort", hangUp, { once: true });
  try {
    for await (const message of call) yield message as MessageShape<O>;
  } catch (error) {
    throw isServiceError(error) ? new CriCallError(method.name, error) : error;
  } finally {
    signal?.removeEventListener("abort", hangUp);
    hangUp();
  }
}

function serializer<D extends DescMessage>(schema: D): (message: MessageShape<D>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, message));
}

function deserializer<D extends DescMessage>(schema: D): (bytes: Buffer) => MessageShape<D> {
  return (bytes) => fromBinary(schema, bytes);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
