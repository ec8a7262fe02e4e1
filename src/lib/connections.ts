import type { Server, Socket } from "node:net";

/** The connections of a server, also those that HTTP does not know yet or any more: in a TLS handshake, or upgraded. */
export class Connections {
  readonly #open = new Set<Socket>();

  /** Before the server listens. */
  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
  }

  /** Cuts off all that are open now. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
