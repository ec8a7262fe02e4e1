import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
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
import {
  Server,
  ServerCredentials,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { methodPath } from "#cri/method-path.ts";

type AnyMessage = MessageShape<DescMessage>;
type Handler = (call: ServerUnaryCall<AnyMessage, AnyMessage>, done: sendUnaryData<AnyMessage>) => void;
type StreamHandler = (call: ServerWritableStream<AnyMessage, AnyMessage>) => void;

/** One RPC of a fake runtime. */
export interface FakeRpc {
  method: DescMethod;
  handler: Handler | StreamHandler;
}

/** Answers a unary RPC; what `answer` throws with a `code` becomes the call's status. */
export function answers<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  answer: (request: MessageShape<I>) => MessageInitShape<O>,
): FakeRpc {
  const handler: Handler = (call, done) => {
    try {
      done(null, create(method.output, answer(call.request as MessageShape<I>)));
    } catch (error) {
      done(error as Error);
    }
  };
  return { method, handler };
}

/** Answers a server-streaming RPC. */
export function streams<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  messages: (request: MessageShape<I>) => readonly MessageInitShape<O>[],
): FakeRpc {
  const handler: StreamHandler = (call) => {
    for (const message of messages(call.request as MessageShape<I>)) call.write(create(method.output, message));
    call.end();
  };
  return { method, handler };
}

export interface FakeCri {
  socketPath: string;
  folder: string;
  stop(): void;
}

/** Serves these RPCs on a unix socket in a folder of its own; every other one answers UNIMPLEMENTED. */
export async function startFakeCri(rpcs: readonly FakeRpc[]): Promise<FakeCri> {
  const folder = mkdtempSync(path.join(tmpdir(), "fake-cri-"));
  const socketPath = path.join(folder, "cri.sock");
  const server = new Server();
  const definitions = Object.fromEntries(rpcs.map(({ method }) => [methodPath(method), grpcDefinition(method)]));
  server.addService(definitions, Object.fromEntries(rpcs.map(({ method, handler }) => [methodPath(method), handler])));
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  const stop = (): void => {
    server.forceShutdown();
    rmSync(folder, { recursive: true, force: true });
  };
  return { socketPath, folder, stop };
}

/** How grpc-js serves an RPC of the CRI. */
export function grpcDefinition(method: DescMethod): MethodDefinition<AnyMessage, AnyMessage> {
  return {
    path: methodPath(method),
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}
