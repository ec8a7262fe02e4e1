import { once } from "node:events";
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { createServer, connect as connectSocket, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { statusOf } from "../status.ts";
import { GrpcServer, type GrpcServerOptions, type ServeCall } from "./grpc-server.ts";
import { frameOf, MessageReader } from "./message-frame.ts";

/** A gRPC server on a socket of its own, with clients that are nothing but HTTP/2; disposing ends all. */
export interface GrpcForTests extends AsyncDisposable {
  grpc: GrpcServer;
  socketPath: string;
  connect(): ClientHttp2Session;
}

export const maxReceiveBytes = 1000;

/** Serves these methods; their paths are `/t.T/` and their names. */
export async function serveGrpc(
  methods: Record<string, ServeCall>,
  options: Pick<GrpcServerOptions, "onRefused"> = {},
): Promise<GrpcForTests> {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-grpc-"));
  const socketPath = path.join(folder, "grpc.sock");
  const grpc = new GrpcServer({
    methods: new Map(Object.entries(methods).map(([name, serve]) => [`/t.T/${name}`, serve])),
    maxReceiveBytes,
    maxSendBytes: 100_000_000,
    failureOf: statusOf,
    ...options,
  });
  const sockets = new Set<Socket>();
  const sessions: ClientHttp2Session[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    grpc.accept(socket);
  });
  await once(listener.listen(socketPath), "listening");
  return {
    grpc,
    socketPath,
    connect() {
      const session = connect("http://localhost", { createConnection: () => connectSocket(socketPath) });
      session.on("error", () => {});
      sessions.push(session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
      rmSync(folder, { recursive: true });
    },
  };
}

/** The start of a call. */
export function open(
  session: ClientHttp2Session,
  method: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/t.T/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** What a call was answered with. */
export interface Outcome {
  httpStatus: number | undefined;
  messages: string[];
  /** Of the trailers, or of the headers when there is nothing else. */
  status: string | undefined;
  details: string | undefined;
  acceptEncoding: string | undefined;
}

/** Reads a call to its end. */
export async function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  const reader = new MessageReader(100_000_000);
  const outcome: Outcome = {
    httpStatus: undefined,
    messages: [],
    status: undefined,
    details: undefined,
    acceptEncoding: undefined,
  };
  const note = (headers: Record<string, unknown>): void => {
    outcome.status ??= textOf(headers["grpc-status"]);
    outcome.details ??= textOf(headers["grpc-message"]);
    outcome.acceptEncoding ??= textOf(headers["grpc-accept-encoding"]);
  };
  stream.once("response", (headers) => {
    outcome.httpStatus = headers[":status"];
    note(headers);
  });
  stream.once("trailers", note);
  stream.on("data", (chunk: Buffer) => reader.push(chunk));
  stream.resume();
  // Not `once` of events, which rejects when the stream was reset.
  await new Promise((resolve) => stream.once("close", resolve));
  for (let message = reader.next(); message !== undefined; message = reader.next())
    outcome.messages.push(message.bytes.toString("utf8"));
  return outcome;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A message with its prefix. */
export function framed(text: string): Buffer {
  return frameOf([Buffer.from(text)]);
}
