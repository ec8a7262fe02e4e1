import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket } from "ws";
import type { Logger } from "#observability/logger.ts";
import { messageOf } from "#errors/domain-error.ts";
import type { StreamingBackend } from "./backend.ts";
import type { StreamingRequest } from "./open-requests.ts";
import type { StreamingOptions } from "./options.ts";
import type { PortForward } from "./port-forward/forward.ts";
import { portForwardOverSpdy } from "./port-forward/over-spdy.ts";
import { portForwardOverWebSocket } from "./port-forward/over-websocket.ts";
import { tunnelProtocol } from "./protocols.ts";
import { remoteCommandOverSpdy } from "./remote-command/over-spdy.ts";
import { remoteCommandOverWebSocket } from "./remote-command/over-websocket.ts";
import type { RemoteCommand } from "./remote-command/run-session.ts";
import { outcomeOfExitCode } from "./remote-command/status.ts";
import type { StreamingSession } from "./session.ts";
import type { SessionOpener } from "./upgrade.ts";

/** The sessions that run now. */
export class SessionRegistry {
  readonly #sessions = new Set<StreamingSession>();

  get size(): number {
    return this.#sessions.size;
  }

  add(session: StreamingSession): void {
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
  }

  /** Ends all of them; resolves when their backends have let go. */
  async closeAll(reason: Error): Promise<void> {
    const sessions = [...this.#sessions];
    for (const session of sessions) session.close(reason);
    await Promise.all(sessions.map((session) => session.ended));
  }
}

/** Connects requests, protocols and the backend. */
export function openSessions(
  registry: SessionRegistry,
  backend: StreamingBackend,
  options: StreamingOptions,
  logger: Logger,
): SessionOpener {
  return {
    overSpdy(request, protocol, transport) {
      registry.add(spdySession(request, protocol, transport));
    },
    overWebSocket(request, protocol, socket) {
      registry.add(webSocketSession(request, protocol, socket));
    },
  };

  function spdySession(request: StreamingRequest, protocol: string, transport: Duplex): StreamingSession {
    return request.verb === "portforward"
      ? portForwardOverSpdy(transport, portForward(request, backend, logger), options)
      : remoteCommandOverSpdy(transport, protocol, remoteCommand(request, backend, logger), options);
  }

  function webSocketSession(request: StreamingRequest, protocol: string, socket: WebSocket): StreamingSession {
    if (request.verb !== "portforward")
      return remoteCommandOverWebSocket(
        socket,
        protocol,
        remoteCommand(request, backend, logger),
        options.idleTimeoutMs,
      );
    const forward = portForward(request, backend, logger);
    return protocol === tunnelProtocol
      ? portForwardOverSpdy(createWebSocketStream(socket), forward, options)
      : portForwardOverWebSocket(socket, protocol, forward, options.idleTimeoutMs);
  }
}

function remoteCommand(
  { verb, request }: Exclude<StreamingRequest, { verb: "portforward" }>,
  backend: StreamingBackend,
  logger: Logger,
): RemoteCommand {
  const onFailure = (error: unknown) =>
    logger.info(`${verb} session failed`, { containerId: request.containerId, error: messageOf(error) });
  if (verb === "exec") {
    const doing = "error executing command in container";
    const run: RemoteCommand["run"] = async (streams, signal) =>
      outcomeOfExitCode((await backend.exec(request, streams, signal)).exitCode);
    return { request, doing, run, onFailure };
  }
  const run: RemoteCommand["run"] = async (streams, signal) => {
    await backend.attach(request, streams, signal);
    return { kind: "success" };
  };
  return { request, doing: "error attaching to container", run, onFailure };
}

function portForward(
  { request }: Extract<StreamingRequest, { verb: "portforward" }>,
  backend: StreamingBackend,
  logger: Logger,
): PortForward {
  return {
    request,
    backend,
    onFailure: (port, error) =>
      logger.info("forwarded connection failed", { sandboxId: request.sandboxId, port, error: messageOf(error) }),
  };
}
