import type { WebSocket } from "ws";
import type { MuxStream } from "../mux-stream.ts";
import type { StreamingSession } from "../session.ts";
import { codecOf } from "../websocket/channel-codec.ts";
import { ChannelConnection } from "../websocket/channel-connection.ts";
import { forwardOne, type PortForward } from "./forward.ts";

/** Two channels for each port, below the 255 that channel numbers could reach. */
export const maxWebSocketPorts = 127;

/**
 * Serves port forwarding over channels: for the port at index i, channel 2i carries the data and channel 2i+1 an error
 * text. Both start with the port, 16 bits little-endian. The connection closes when all ports are done.
 */
export function portForwardOverWebSocket(
  socket: WebSocket,
  protocol: string,
  forward: PortForward,
  idleTimeoutMs: number,
): StreamingSession {
  const { ports } = forward.request;
  const connection = new ChannelConnection(socket, {
    codec: codecOf(protocol),
    channels: ports.flatMap((_, index) => [2 * index, 2 * index + 1]),
    canHalfClose: false,
    idleTimeoutMs,
  });
  const forwards = ports.map(async (port, index) => {
    const data = opened(connection, 2 * index, port);
    const error = opened(connection, 2 * index + 1, port);
    await forwardOne(forward, port, data, error);
  });
  const ended = Promise.all(forwards).then(() => connection.finish());
  return { ended, close: (reason) => connection.destroy(reason) };
}

function opened(connection: ChannelConnection, id: number, port: number): MuxStream {
  const channel = connection.channel(id);
  if (channel === undefined) throw new Error(`channel ${id} is always open`);
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  channel.write(bytes);
  return channel;
}
