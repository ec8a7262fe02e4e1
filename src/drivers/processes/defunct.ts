import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hasErrno } from "#errors/domain-error.ts";

/** Processes looked at before others get their turn: about a millisecond of work. */
const sliceLength = 64;

/**
 * Zombies among these processes, those of the machine unless said. Files of /proc are answered from memory, so reading them in place is cheaper than by threads; a
 * machine may have thousands.
 */
export async function countDefunctProcesses(pids: readonly (string | number)[] = allPids()): Promise<number> {
  let defunct = 0;
  for (let start = 0; start < pids.length; start += sliceLength) {
    if (start > 0) await nextTurn();
    defunct += pids.slice(start, start + sliceLength).filter(isDefunct).length;
  }
  return defunct;
}

function allPids(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

/** proc_pid_stat(5): the state follows the name, which is in parentheses and may contain some. */
function isDefunct(pid: string | number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) === "Z";
  } catch (error) {
    // A security policy may hide processes that are no business of a container runtime.
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return false;
    throw error;
  }
}
