import os from "node:os";
import { DomainError } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { identify, isAlive, signalProcess } from "#kernel/process-identity.ts";
import { endedChild, exitCodeOf, onOrphanExit } from "#kernel/child-exits.ts";
import type { Logger } from "#observability/logger.ts";
import type { Processes } from "./index.ts";
import { watchProcess } from "./watch-process.ts";

const remembered = 256;
const retryWatchMs = 1000;

/** Processes of this host, watched by pidfd. */
export function hostProcesses(thread: KernelThread, logger: Logger): Processes {
  const reaped = new Map<number, number>();
  onOrphanExit((pid, status) => {
    reaped.delete(pid);
    reaped.set(pid, exitCodeOf(status));
    const oldest = reaped.keys().next().value;
    if (reaped.size > remembered && oldest !== undefined) reaped.delete(oldest);
  });

  return {
    identify,
    isAlive,
    signal(process, signal) {
      return signalProcess(process, signalNumber(signal));
    },
    watch: (process) => watchProcess(thread, process, logger, retryWatchMs),
    reapedExitCode(pid) {
      const status = endedChild(pid);
      return status === undefined ? reaped.get(pid) : exitCodeOf(status);
    },
  };
}

/** Number of a signal by its name, with or without `SIG`, or of a real-time one (signal(7): SIGRTMIN is 34 to programs). */
function signalNumber(name: string): number {
  const text = name.toUpperCase().replace(/^SIG/, "");
  const plain = (os.constants.signals as Record<string, number>)[`SIG${text}`];
  if (plain !== undefined) return plain;
  const realTime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(text);
  if (realTime !== null) {
    const number = (realTime[1] === "IN" ? 34 : 64) + Number(`${realTime[2] ?? "+"}${realTime[3] ?? 0}`);
    if (number >= 34 && number <= 64) return number;
  }
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 64) return Number(text);
  throw new DomainError("invalid-argument", `${JSON.stringify(name)} is no signal`);
}
