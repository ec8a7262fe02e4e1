import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { attachToMonitor } from "./attach-socket.ts";
import type { Carriers } from "./index.ts";
import { OwnedDescriptor } from "./owned-descriptor.ts";
import { connectSocket } from "./loopback-connection.ts";
import { TerminalStream } from "./terminal.ts";

/** Carriers in the event loop of the calling thread. */
export const descriptorCarriers: Carriers = {
  pipeSource: (fd) => pipeEnd(fd, { readable: true, writable: false }),
  pipeSink: (fd) => pipeEnd(fd, { readable: false, writable: true }),
  close: closeSync,
  terminal: (fd) => new TerminalStream(fd),
  attach: attachToMonitor,
  connect: connectSocket,
};

function pipeEnd(fd: number, ways: { readable: boolean; writable: boolean }): Socket {
  using descriptor = new OwnedDescriptor(fd);
  const socket = new Socket({ fd, ...ways });
  descriptor.handOver();
  return socket;
}
