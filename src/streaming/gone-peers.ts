import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { hasErrno } from "#errors/domain-error.ts";

/** How often connections that are not being read are looked at. */
const intervalMs = 2000;
/** proc_pid_net(5): state ESTABLISHED in /proc/net/tcp. */
const established = "01";

/**
 * Destroys connections whose peer has gone while they were held back. Nobody reads them then, so their end would go
 * unnoticed and their session would live on until it next writes, perhaps never; the kernel's table knows better.
 */
export class GonePeerSweeper {
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  /** Looks after `socket` until it is closed. */
  watch(socket: Socket): void {
    this.#sockets.add(socket);
    this.#timer ??= setInterval(() => void this.#sweep(), intervalMs).unref();
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  async #sweep(): Promise<void> {
    const paused = [...this.#sockets].filter((socket) => socket.isPaused());
    if (paused.length === 0) return;
    const connections = await readConnections();
    if (connections === undefined) return;
    for (const socket of paused) if (socket.isPaused() && !isAlive(socket, connections)) socket.destroy();
  }
}

/** For each pair of a local and a remote port, "8080 40312", whether a connection between them is established. */
type Connections = ReadonlyMap<string, boolean>;

/**
 * The peer's own end says more when it is on this machine, as kubelets are: what the peer had still to send comes before
 * its end, so on our side the connection looks established until that is read.
 */
function isAlive({ localPort, remotePort }: Socket, connections: Connections): boolean {
  if (connections.get(`${localPort} ${remotePort}`) !== true) return false;
  return connections.get(`${remotePort} ${localPort}`) !== false;
}

/**
 * All TCP connections, or undefined when they cannot be read. Ports alone may stand for several connections: then a
 * dead one is found only once the others have ended.
 */
async function readConnections(): Promise<Connections | undefined> {
  try {
    return parseTables(await Promise.all([readTable("tcp"), readTable("tcp6")]));
  } catch {
    return undefined;
  }
}

async function readTable(name: string): Promise<string> {
  try {
    return await readFile(`/proc/self/net/${name}`, "utf8");
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if (name === "tcp6" && hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}

/** Lines of `sl local_address rem_address st ...`, addresses as `0100007F:1F90` in hexadecimal. */
export function parseTables(tables: readonly string[]): Connections {
  const connections = new Map<string, boolean>();
  for (const line of tables.flatMap((table) => table.split("\n").slice(1))) {
    const [, local = "", remote = "", state] = line.trim().split(/\s+/);
    const ports = `${hexPort(local)} ${hexPort(remote)}`;
    connections.set(ports, state === established || connections.get(ports) === true);
  }
  return connections;
}

function hexPort(address: string): number {
  return Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16);
}
