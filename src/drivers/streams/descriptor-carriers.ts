import { Socket } from "node:net";
import { attachToMonitor } from "./attach-socket.ts";
import type { Carriers } from "./index.ts";
import { connectSocket } from "./loopback-connection.ts";
import { TerminalStream } from "./terminal.ts";

/** Carriers in the event loop of the calling thread. */
export const descriptorCarriers: Carriers = {
  pipeSource: (fd) => new Socket({ fd, readable: true, writable: false }),
  pipeSink: (fd) => new Socket({ fd, readable: false, writable: true }),
  terminal: (fd) => new TerminalStream(fd),
  attach: attachToMonitor,
  connect: connectSocket,
};
