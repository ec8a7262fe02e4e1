import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { accountingHierarchy } from "../daemons/daemon.ts";
import type { Daemon } from "../daemons/daemon.ts";

const nsPerMs = 1e6;
const nsPerUs = 1000;

/**
 * The processor time of one process, to the nanosecond: /proc/PID/stat counts in ticks of 10 ms. Threads that end keep what they
 * were last seen with, so that the time never goes back.
 */
export class ProcessorClock {
  readonly #pid: number;
  readonly #threads = new Map<string, number>();

  constructor(pid: number) {
    this.#pid = pid;
    this.elapsedMs();
  }

  /** Processor time until now, in milliseconds. */
  elapsedMs(): number {
    for (const thread of threadsOf(this.#pid)) this.#threads.set(thread, threadCpuNs(this.#pid, thread));
    let totalNs = 0;
    for (const ns of this.#threads.values()) totalNs += ns;
    return totalNs / nsPerMs;
  }
}

/** Processor time of a process until now, in milliseconds; 0 when it is gone. */
export function processCpuMs(pid: number): number {
  return new ProcessorClock(pid).elapsedMs();
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
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
