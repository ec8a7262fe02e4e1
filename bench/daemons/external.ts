import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "#cri/client.ts";
import type { Daemon } from "./daemon.ts";
import type { Places } from "./places.ts";

const callTimeoutMs = 300_000;

/**
 * A daemon that somebody else runs, on `places.socket`. It has to reach the benchmark's registry by plain http, has a network of
 * its own, and cannot be restarted or counted with its helpers.
 */
export function externalDaemon(places: Places, socket: string): Daemon {
  return {
    name: places.name,
    client: connect(socket, { defaultTimeoutMs: callTimeoutMs }),
    pid: listenerOf(socket),
    podLogFolder: places.podLogFolder,
    podsCgroup: places.podsCgroup,
    own: undefined,
  };
}

/** The process that has the listening socket open. */
function listenerOf(socket: string): number {
  const inodes = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[7] === socket || fields[7] === socket.replace(/^\/var\/run\//, "/run/"))
    .map((fields) => `socket:[${fields[6]}]`);
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => descriptorsOf(pid).some((target) => inodes.includes(target)));
  if (found === undefined) throw new Error(`nobody listens on ${socket}`);
  return Number(found);
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}
