import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";

/**
 * Kills a process and everything that descends from it. They are stopped first, oldest first, until no new one appears: a
 * process that is killed while its children run would hand them to another parent, out of sight.
 */
export function killTree(pid: number): void {
  const stopped = new Set<number>();
  for (let fresh = [pid]; fresh.length > 0; fresh = descendants(pid).filter((one) => !stopped.has(one))) {
    for (const one of fresh) {
      stopped.add(one);
      // A security policy may let us kill a process but not stop it; then one that forks at this moment may escape.
      send(one, "SIGSTOP", "EACCES", "EPERM");
    }
  }
  for (const one of stopped) send(one, "SIGKILL");
}

/** All descendants of a process, parents before children (proc_pid_task_tid_children(5)). */
export function descendants(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}

function send(pid: number, signal: NodeJS.Signals, ...tolerated: string[]): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH", ...tolerated)) throw error;
  }
}
