import { readFileSync } from "node:fs";
import type { Daemon } from "../daemons/daemon.ts";
import { processesOf } from "../../test/support/footprint.ts";

export interface MemoryUse {
  /** Proportional set size: a page that n processes share counts as 1/n in each. */
  pssMiB: number;
  rssMiB: number;
}

export interface DaemonMemory {
  daemon: MemoryUse;
  /** Monitors, shims, pause processes and whatever else keeps pods alive; not what runs in containers. */
  helpers: MemoryUse;
  helperCount: number;
}

/** What a daemon needs of memory, with all its helpers if it is our own. */
export function memoryOf(daemon: Daemon): DaemonMemory {
  const helpers = helperPids(daemon);
  return {
    daemon: memoryOfProcess(daemon.pid),
    helpers: sum(helpers.map(memoryOfProcess)),
    helperCount: helpers.length,
  };
}

/**
 * Processes that a daemon needs besides itself: what runs in its own cgroup, and of what runs in the pods' cgroups monitors,
 * shims and pause processes. The reaper is the benchmark's.
 */
export function helperPids(daemon: Daemon): number[] {
  if (daemon.own === undefined) return [];
  const { places, pid } = daemon.own;
  const daemonCgroup = `${places.cgroupParent}/daemon`;
  return processesOf(places)
    .filter((process) => process.pid !== pid && !process.commandLine.includes("daemons/reaper.ts"))
    .filter(({ pid, commandLine }) => isMonitor(commandLine) || cgroupsOf(pid).includes(daemonCgroup))
    .map((process) => process.pid);
}

function isMonitor(commandLine: string): boolean {
  const program = commandLine.split(" ")[0] ?? "";
  return /(^|\/)(conmon|conmonrs|containerd-shim[^/]*|pause)$/.test(program);
}

function cgroupsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch {
    return "";
  }
}

function memoryOfProcess(pid: number): MemoryUse {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return { pssMiB: kibibytes(text, "Pss") / 1024, rssMiB: kibibytes(text, "Rss") / 1024 };
  } catch {
    return { pssMiB: 0, rssMiB: 0 };
  }
}

function kibibytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

function sum(uses: readonly MemoryUse[]): MemoryUse {
  return uses.reduce((all, use) => ({ pssMiB: all.pssMiB + use.pssMiB, rssMiB: all.rssMiB + use.rssMiB }), {
    pssMiB: 0,
    rssMiB: 0,
  });
}
