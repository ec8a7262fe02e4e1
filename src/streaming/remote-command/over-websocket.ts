import type { WebSocket } from "ws";
import type { MuxStream } from "../mux-stream.ts";
import type { StreamingSession } from "../session.ts";
import { codecOf } from "../websocket/channel-codec.ts";
import { ChannelConnection } from "../websocket/channel-connection.ts";
import { type RemoteCommand, runSession } from "./run-session.ts";

/** The first three are the file descriptors. */
const Channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Serves one exec or attach over the channels of a WebSocket connection. `protocol` is "" when none was asked for. */
export function remoteCommandOverWebSocket(
  socket: WebSocket,
  protocol: string,
  command: RemoteCommand,
  idleTimeoutMs: number,
): StreamingSession {
  const wanted = { ...command.request, error: true, resize: command.request.tty };
  const channels = (Object.keys(Channel) as (keyof typeof Channel)[])
    .filter((name) => wanted[name])
    .map((name) => Channel[name]);
  const canHalfClose = protocol.startsWith("v5.");
  const connection = new ChannelConnection(socket, { codec: codecOf(protocol), channels, canHalfClose, idleTimeoutMs });
  const error = connection.channel(Channel.error);
  if (error === undefined) throw new Error("the error channel is always open");
  const [stdout, stderr] = [connection.channel(Channel.stdout), connection.channel(Channel.stderr)];
  announce(stdout ?? stderr ?? error);
  const ended = runSession(
    {
      error,
      stdin: connection.channel(Channel.stdin),
      stdout,
      stderr,
      resize: connection.channel(Channel.resize),
      jsonStatus: canHalfClose || protocol.startsWith("v4."),
      signal: connection.signal,
      finish: () => connection.finish(),
    },
    command,
  );
  return { ended, close: (reason) => connection.destroy(reason) };
}

/** Clients take an empty message on the lowest output channel as the sign that the session stands. */
function announce(channel: MuxStream): void {
  channel.write(Buffer.alloc(0));
}
