import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { accountingHierarchy } from "../daemons/daemon.ts";
import type { Daemon } from "../daemons/daemon.ts";

const nsPerMs = 1e6;
const nsPerUs = 1000;

/**
 * Processor time of the living threads of a process, in milliseconds. From schedstat, since the ticks of /proc/PID/stat are 10 ms
 * wide. 0 for a process that is gone.
 */
export function processCpuMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce((sum, thread) => sum + threadCpuNs(pid, thread), 0) / nsPerMs;
  } catch {
    return 0;
  }
}

function threadCpuNs(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

/**
 * Processor time of a daemon and of everything that it has started: monitors, runtimes, plugins, containers, those that have
 * ended too. `undefined` for a daemon that is not our own.
 */
export function wholeCpuMs(daemon: Daemon): number | undefined {
  if (daemon.own === undefined) return undefined;
  const folder = path.join(accountingHierarchy(), daemon.own.places.cgroupParent);
  try {
    return Number(readFileSync(path.join(folder, "cpuacct.usage"), "utf8")) / nsPerMs;
  } catch {
    const usage = /usage_usec (\d+)/.exec(readFileSync(path.join(folder, "cpu.stat"), "utf8"))?.[1];
    return (Number(usage) * nsPerUs) / nsPerMs;
  }
}
