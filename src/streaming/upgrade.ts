import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { StreamingRequest } from "./open-requests.ts";
import type { PendingRequests } from "./pending-requests.ts";
import { answerPlainly } from "./plain-answer.ts";
import {
  chooseProtocol,
  namesInHeader,
  spdyPortForwardProtocols,
  spdyRemoteCommandProtocols,
  tunnelProtocol,
  webSocketPortForwardProtocols,
  webSocketRemoteCommandProtocols,
} from "./protocols.ts";

/** Opens the session of a request on an upgraded connection. */
export interface SessionOpener {
  overSpdy(request: StreamingRequest, protocol: string, transport: Duplex): void;
  /** `protocol` is "" when the client asked for none. */
  overWebSocket(request: StreamingRequest, protocol: string, socket: WebSocket): void;
}

/** Bytes in one message from a client; Kubernetes' own send 32 KiB. */
const maxMessageBytes = 1024 * 1024;

const verbs = ["exec", "attach", "portforward"] as const;
type Verb = (typeof verbs)[number];

/** Turns HTTP upgrade requests into sessions, and refuses the others in words. */
export class Upgrader {
  readonly #pending: PendingRequests<StreamingRequest>;
  readonly #opener: SessionOpener;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  /** The subprotocol of each handshake under way. */
  readonly #chosen = new WeakMap<IncomingMessage, string>();

  constructor(pending: PendingRequests<StreamingRequest>, opener: SessionOpener) {
    this.#pending = pending;
    this.#opener = opener;
    this.#webSockets.on("headers", (lines, message) => {
      const protocol = this.#chosen.get(message);
      if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
  }

  /** Handles the 'upgrade' event of an HTTP server. */
  handle(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {});
    const refusal = refuse(message);
    if (refusal !== undefined) return answerPlainly(socket, ...refusal);
    const { verb, token } = targetOf(message);
    const pending = this.#pending.peek(token);
    if (pending === undefined || pending.verb !== verb)
      return answerPlainly(socket, 404, `no ${verb ?? "streaming"} request waits here: unknown, used or expired URL`);
    if (isWebSocket(message)) this.#webSocket(pending, token, message, socket, head);
    else this.#spdy(pending, token, message, socket, head);
  }

  #spdy(pending: StreamingRequest, token: string, message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const supported = pending.verb === "portforward" ? spdyPortForwardProtocols : spdyRemoteCommandProtocols;
    const offered = namesInHeader(message.headers["x-stream-protocol-version"]);
    if (offered.length === 0)
      return answerPlainly(socket, 400, "unable to upgrade: header X-Stream-Protocol-Version is missing");
    const protocol = chooseProtocol(offered, supported);
    if (protocol === undefined) return answerPlainly(socket, 403, ...noCommonProtocol(offered, supported));
    this.#pending.take(token);
    const lines = ["Connection: Upgrade", "Upgrade: SPDY/3.1", `X-Stream-Protocol-Version: ${protocol}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    if (head.length > 0) socket.unshift(head);
    this.#opener.overSpdy(pending, protocol, socket);
  }

  #webSocket(pending: StreamingRequest, token: string, message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const isPortForward = pending.verb === "portforward";
    const supported = isPortForward ? webSocketPortForwardProtocols : webSocketRemoteCommandProtocols;
    const offered = namesInHeader(message.headers["sec-websocket-protocol"]);
    const protocol = chooseProtocol(offered, supported);
    if (protocol === undefined && offered.length > 0)
      return answerPlainly(socket, 403, ...noCommonProtocol(offered, supported));
    if (isPortForward && protocol !== tunnelProtocol && pending.request.ports.length === 0)
      return answerPlainly(
        socket,
        400,
        "unable to upgrade: forwarding over WebSocket channels needs ports in the request",
      );
    if (protocol !== undefined) this.#chosen.set(message, protocol);
    // The ws package takes no name with a slash in it, as the tunnel's has, so it does not get to see the names.
    delete message.headers["sec-websocket-protocol"];
    this.#webSockets.handleUpgrade(message, socket, head, (upgraded) => {
      this.#pending.take(token);
      this.#opener.overWebSocket(pending, protocol ?? "", upgraded);
    });
  }
}

function targetOf(message: IncomingMessage): { verb: Verb | undefined; token: string } {
  const [path = ""] = (message.url ?? "").split("?");
  const [, name, token = "", ...rest] = path.split("/");
  const verb = rest.length === 0 ? verbs.find((one) => one === name) : undefined;
  return { verb, token };
}

function isWebSocket(message: IncomingMessage): boolean {
  return message.headers.upgrade?.toLowerCase() === "websocket";
}

/** What is wrong with a request whatever its token; also answers requests that ask for no upgrade at all. */
export function refuse(
  message: IncomingMessage,
): [status: number, text: string, headers?: Readonly<Record<string, string>>] | undefined {
  if (targetOf(message).verb === undefined)
    return [404, `nothing is served at ${message.url}: URLs are /exec/TOKEN, /attach/TOKEN and /portforward/TOKEN`];
  if (message.method !== "GET" && message.method !== "POST")
    return [405, `method ${message.method} is not allowed: use GET or POST`, { Allow: "GET, POST" }];
  const upgrade = message.headers.upgrade?.toLowerCase();
  const isUpgrade = namesInHeader(message.headers.connection).some((name) => name.toLowerCase() === "upgrade");
  if (!isUpgrade || (upgrade !== "spdy/3.1" && upgrade !== "websocket"))
    return [400, "unable to upgrade: the request must ask for an upgrade to SPDY/3.1 or websocket"];
  return undefined;
}

function noCommonProtocol(
  offered: readonly string[],
  supported: readonly string[],
): [text: string, headers: Readonly<Record<string, string>>] {
  return [
    `unable to upgrade: the client offers ${offered.join(", ")}, the server knows ${supported.join(", ")}`,
    { "X-Accepted-Stream-Protocol-Versions": supported.join(", ") },
  ];
}
