import { createServer, type Server as Listener, type Socket } from "node:net";
import { fromBinary, type DescMessage, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type MethodDefinition, type UntypedHandleCall } from "@grpc/grpc-js";
import type { Runtime } from "#domain/runtime.ts";
import { DomainError } from "#errors/domain-error.ts";
import { listenOnSocket } from "#lib/listen-on-socket.ts";
import type { Logger } from "#observability/logger.ts";
import type { StreamHandler, StreamingUrls, UnaryHandler } from "./call.ts";
import { Edge, type OperationMetrics } from "./edge.ts";
import { services, type ServiceTable } from "./handlers.ts";
import { methodPath } from "./method-path.ts";
import { demultiplex } from "./socket-demux.ts";

/** Serves the connections to the CRI socket that speak HTTP/1. */
export interface PlainHttp {
  accept(socket: Socket): void;
  /** Ends connections without a request under way, and every other one after its answer. */
  close(): void;
}

export interface CriServerOptions {
  runtime: Runtime;
  /** Absolute; at most 107 bytes, as the kernel has it. */
  socketPath: string;
  logger: Logger;
  metrics?: OperationMetrics;
  /** Limit of one request. */
  maxReceiveBytes: number;
  /** Limit of one response. */
  maxSendBytes: number;
  /** Makes the URLs of Exec, Attach and PortForward; without it these answer UNIMPLEMENTED. */
  streaming?: StreamingUrls;
  /** Without it connections that speak HTTP/1 are cut off. */
  plainHttp?: PlainHttp;
}

export interface CriServer {
  /**
   * Accepts calls from now on; the socket has mode 0660, a stale one is replaced and its folder is made.
   * @throws DomainError already-exists when another daemon answers there, failed-precondition when listening fails
   */
  listen(): Promise<void>;
  /**
   * Accepts no more calls, ends the streams, and lets other calls go on for at most `graceMs`; the socket is gone then.
   */
  close(graceMs: number): Promise<void>;
}

/** The gRPC server of CRI v1, and of berth's own services, on a unix socket. */
export function createCriServer(options: CriServerOptions): CriServer {
  const { runtime, streaming, logger, metrics, plainHttp } = options;
  const edge = new Edge({ runtime, streaming, logger, metrics });
  const grpc = new Server({
    "grpc.max_receive_message_length": options.maxReceiveBytes,
    "grpc.max_send_message_length": options.maxSendBytes,
    "grpc.enable_channelz": 0,
  });
  for (const { service, handlers } of services) addService(grpc, edge, service, handlers);
  const connections = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  // Half-open as the HTTP/2 server's own sockets are.
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    demultiplex(socket, {
      http2(accepted) {
        // A client that only closes its end, as Go's do, would keep ours open for ever.
        accepted.once("end", () => accepted.end());
        connections.injectConnection(accepted);
      },
      http1: (accepted) => (plainHttp === undefined ? accepted.destroy() : plainHttp.accept(accepted)),
    });
  });
  return {
    listen: () => listenOnSocket(listener, options.socketPath),
    async close(graceMs) {
      const closed = shutDown(listener, grpc, sockets, graceMs);
      plainHttp?.close();
      edge.endStreams();
      await closed;
    },
  };
}

function addService(grpc: Server, edge: Edge, service: DescService, handlers: ServiceTable): void {
  const definitions: Record<string, MethodDefinition<Message, Buffer>> = {};
  const implementations: Record<string, UntypedHandleCall> = {};
  for (const method of service.methods) {
    definitions[method.name] = definitionOf(method);
    implementations[method.name] = implementationOf(edge, method, handlers[method.localName]);
  }
  grpc.addService(definitions, implementations);
}

function definitionOf(method: DescMethod): MethodDefinition<Message, Buffer> {
  return {
    path: methodPath(method),
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: () => {
      throw new TypeError("a server sends no requests");
    },
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (bytes) => bytes,
    responseDeserialize: (bytes) => bytes,
  };
}

/** The table of handlers has checked that `handler` is of the method's kind and types, which its own type does not tell. */
function implementationOf(edge: Edge, method: DescMethod, handler: ServiceTable[string]): UntypedHandleCall {
  const serve = handler ?? ((): never => missing(method));
  switch (method.methodKind) {
    case "unary":
      return edge.unary(method, serve as UnaryHandler<DescMessage, DescMessage>);
    case "server_streaming":
      return edge.serverStream(method, serve as StreamHandler<DescMessage, DescMessage>);
    case "client_streaming":
    case "bidi_streaming":
      throw new TypeError(`${method.name}: no service of ours has streams from the client`);
  }
}

function missing(method: DescMethod): never {
  throw new DomainError("unimplemented", `${method.parent.typeName}/${method.name} is not implemented`);
}

/**
 * Resolves when all calls, and with them all connections, have ended, or have been cut off after `graceMs`. grpc-js says
 * goodbye to the clients, but is no judge of the end: with Node 26 its `tryShutdown` is done while calls go on, and without
 * channelz its `forceShutdown` knows no connections.
 */
function shutDown(listener: Listener, grpc: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    listener.close(() => {
      clearTimeout(timer);
      resolve();
    });
    grpc.tryShutdown(() => {});
  });
}
