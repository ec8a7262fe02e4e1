import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { identify } from "#kernel/process-identity.ts";
import { killTree } from "#kernel/process-tree.ts";
import type { MonitorProcess } from "./index.ts";

/**
 * The monitors of a container by their command lines: the pid file comes only once a monitor has gone to the background, which one whose
 * daemon died may be about to do. More than one only while it does.
 */
export function findMonitors(id: string, bundle: string): MonitorProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isMonitor(argumentsOf(name), id, bundle))
    .flatMap((pid) => identify(Number(pid)) ?? []);
}

/** Kills the monitors of a container, with all that they have started. */
export function haltMonitors(id: string, bundle: string): void {
  for (const { pid } of findMonitors(id, bundle)) killTree(pid);
}

function isMonitor(argv: readonly string[], id: string, bundle: string): boolean {
  return argv.includes(`--cid=${id}`) && argv.includes(`--bundle=${bundle}`);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return [];
    throw error;
  }
}
