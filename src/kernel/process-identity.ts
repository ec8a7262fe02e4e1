import { readFileSync } from "node:fs";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { pidfdIdentity, pidfdPrefix } from "#kernel/pidfd-identity.ts";

/** A process that can be told from a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  /**
   * Clock ticks since boot (proc_pid_stat(5), field 22), as text since it may exceed 2^53. Where a security policy does not
   * let us read that, the number of its pidfd: see `pidfdIdentity`.
   */
  startTime: string;
}

/**
 * The identity of a live process; undefined when there is none or it is a zombie, which holds nothing any more.
 * @throws DomainError internal when neither /proc nor the kernel's pidfds tell, SystemError or Node's for want of descriptors
 */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat instanceof Error) {
    const startTime = withoutProc(pid, stat);
    return startTime === undefined ? undefined : { pid, startTime };
  }
  if (stat === undefined || isDead(stat)) return undefined;
  return { pid, startTime: stat.startTime };
}

/** True while the very process is there. One small read from /proc. */
export function isAlive(identity: ProcessIdentity): boolean {
  const { pid, startTime } = identity;
  // A policy may forbid to look at a process before it executes the container's program, and allow it afterwards.
  if (startTime.startsWith(pidfdPrefix)) return pidfdIdentity(pid) === startTime;
  const stat = readStat(pid);
  // The other way round nothing tells whether it is the same: rather wait for a stranger than forget a container that runs.
  if (stat instanceof Error) return withoutProc(pid, stat) !== undefined;
  return stat !== undefined && !isDead(stat) && stat.startTime === startTime;
}

function isDead(stat: ProcessStat): boolean {
  return stat.state === "Z" || stat.state === "X";
}

function withoutProc(pid: number, denial: Error): string | undefined {
  try {
    return pidfdIdentity(pid);
  } catch (error) {
    // No policy's fault.
    if (hasErrno(error, "EMFILE", "ENFILE", "ENOMEM")) throw error;
    throw new DomainError(
      "internal",
      `process ${pid} cannot be told from others: ${denial.message}, and ${messageOf(error)}; the security policy has to let berth read /proc of containers and monitors`,
      { cause: denial },
    );
  }
}

/** Sends a signal to this very process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals | number): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return false;
    throw error;
  }
}

interface ProcessStat {
  state: string;
  startTime: string;
}

/** Fields of /proc/PID/stat; undefined when there is no such process, the error when a security policy denies to read them. */
function readStat(pid: number): ProcessStat | Error | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    if (hasErrno(error, "EACCES", "EPERM") && error instanceof Error) return error;
    throw error;
  }
  // The command is in parentheses and may hold anything, spaces and parentheses too.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
}

/** Identifies this boot of the machine; pids and mounts of another one mean nothing. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
