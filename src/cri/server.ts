import { createServer, type Server as Listener, type Socket } from "node:net";
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Runtime } from "#domain/runtime.ts";
import { DomainError } from "#errors/domain-error.ts";
import { listenOnSocket } from "#lib/listen-on-socket.ts";
import type { Logger } from "#observability/logger.ts";
import type { StreamHandler, StreamingUrls, UnaryHandler } from "./call.ts";
import { Edge, type OperationMetrics } from "./edge.ts";
import { GrpcServer, type ServeCall } from "./grpc/grpc-server.ts";
import { services, type ServiceTable } from "./handlers.ts";
import { methodPath } from "./method-path.ts";
import { demultiplex } from "./socket-demux.ts";
import { statusOf } from "./status.ts";

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
  const { runtime, streaming, logger, metrics, plainHttp, maxReceiveBytes, maxSendBytes } = options;
  const edge = new Edge({ runtime, streaming, logger, metrics, maxSendBytes });
  const methods = methodsOf(edge);
  const grpc = new GrpcServer({
    methods,
    maxReceiveBytes,
    maxSendBytes,
    failureOf: statusOf,
    // A path that a client has made up must not make a metric.
    onRefused: (path, failure, durationMs) =>
      edge.refused(methods.has(path) ? path.slice(path.lastIndexOf("/") + 1) : "unknown", failure, durationMs),
  });
  const sockets = new Set<Socket>();
  /** Connections that have not said yet what they speak. */
  const silent = new Set<Socket>();
  // Half-open as the HTTP/2 server's own sockets are.
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    silent.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
    demultiplex(socket, {
      http2(accepted) {
        silent.delete(accepted);
        // A client that only closes its end, as Go's do, would keep ours open for ever.
        accepted.once("end", () => accepted.end());
        grpc.accept(accepted);
      },
      http1(accepted) {
        silent.delete(accepted);
        if (plainHttp === undefined) accepted.destroy();
        else plainHttp.accept(accepted);
      },
    });
  });
  // For want of memory, say: all others are served.
  const notAccepted = (error: Error): void => logger.warn("a connection could not be accepted", { error });
  return {
    async listen() {
      await listenOnSocket(listener, options.socketPath);
      listener.on("error", notAccepted);
    },
    async close(graceMs) {
      const closed = closeListener(listener, sockets, graceMs, logger);
      grpc.close();
      plainHttp?.close();
      for (const socket of silent) socket.destroy();
      edge.endStreams();
      await closed;
    },
  };
}

function methodsOf(edge: Edge): ReadonlyMap<string, ServeCall> {
  return new Map(
    services.flatMap(({ service, handlers }) =>
      service.methods.map((method) => [methodPath(method), serveCallOf(edge, method, handlers[method.localName])]),
    ),
  );
}

/** The table of handlers has checked that `handler` is of the method's kind and types, which its own type does not tell. */
function serveCallOf(edge: Edge, method: DescMethod, handler: ServiceTable[string]): ServeCall {
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

/** Resolves when all connections, and with them all calls, have ended, or have been cut off after `graceMs`. */
function closeListener(
  listener: Listener,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
  logger: Logger,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      logger.warn("calls were cut off, since they take longer than a shutdown may", { connections: sockets.size });
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    listener.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
