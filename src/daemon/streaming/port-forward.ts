import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Carriers, IpFamily } from "#drivers/streams/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { PortForwardRequest } from "#streaming/backend.ts";
import type { Ask } from "./questions.ts";

/** In the order they are tried. */
const families: readonly IpFamily[] = [4, 6];

/** Forwards one connection to a port of the pod's loopback address. Each half ends by itself. */
export async function portForward(
  carriers: Carriers,
  ask: Ask,
  { sandboxId }: PortForwardRequest,
  port: number,
  stream: Duplex,
  signal: AbortSignal,
): Promise<void> {
  const socket = await connect(carriers, ask, sandboxId, port, signal);
  // What the client gives up must not look complete to the server; `pipeline` would end it in good order.
  const reset = (): void => void socket.resetAndDestroy();
  stream.on("error", reset);
  signal.addEventListener("abort", reset);
  if (signal.aborted) reset();
  try {
    await Promise.all([pipeline(stream, socket, { signal }), pipeline(socket, stream, { signal })]);
  } catch (error) {
    throw new DomainError("aborted", `connection to port ${port} broke: ${messageOf(error)}`, { cause: error });
  } finally {
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
