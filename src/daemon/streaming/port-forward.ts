import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Carriers, IpFamily } from "#drivers/streams/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { PortForwardRequest } from "#streaming/backend.ts";
import type { Ask } from "./questions.ts";
import { QuietTimer } from "./quiet-timer.ts";

/** In the order they are tried. */
const families: readonly IpFamily[] = [4, 6];

/** How long a client may be silent after the server's end before the connection is over. */
const defaultQuietMs = 1000;

/**
 * Forwards one connection to a port of the pod's loopback address. The client's end leaves the server's half open. After the server's end
 * the connection is over once the client has been silent for `quietMs`: WebSocket channels have no end of a half, and kubectl before 1.30
 * ends its own only after its user, who waits for kubectl to close.
 */
export async function portForward(
  carriers: Carriers,
  ask: Ask,
  { sandboxId }: PortForwardRequest,
  port: number,
  stream: Duplex,
  signal: AbortSignal,
  quietMs = defaultQuietMs,
): Promise<void> {
  const socket = await connect(carriers, ask, sandboxId, port, signal);
  // What the client gives up must not look complete to the server; `pipeline` would end it in good order.
  const reset = (): void => void socket.resetAndDestroy();
  stream.on("error", reset);
  signal.addEventListener("abort", reset);
  if (signal.aborted) reset();
  let isOver = false;
  const quiet = new QuietTimer(
    // What the server has not taken yet is not silence.
    () => socket.writableLength > 0,
    () => {
      isOver = true;
      socket.destroy();
    },
  );
  try {
    const toServer = pipeline(stream, socket, { signal });
    const toClient = pipeline(socket, stream, { signal }).then(() => quiet.start(quietMs));
    stream.on("data", () => quiet.touch());
    await Promise.all([toServer, toClient]);
  } catch (error) {
    if (isOver) return;
    throw new DomainError("aborted", `connection to port ${port} broke: ${messageOf(error)}`, { cause: error });
  } finally {
    quiet.stop();
    signal.removeEventListener("abort", reset);
    socket.destroy();
  }
}

async function connect(
  carriers: Carriers,
  ask: Ask,
  sandboxId: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const failures: unknown[] = [];
  for (const family of families) {
    try {
      return await carriers.connect(await ask("podSocket", { sandboxId, family }), family, port, signal);
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== "unavailable") throw error;
      failures.push(error);
    }
  }
  throw new DomainError("unavailable", failures.map(messageOf).join("; "), { cause: failures[0] });
}
