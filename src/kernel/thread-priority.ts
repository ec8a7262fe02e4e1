import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { check, libc } from "#kernel/libc.ts";

const setScheduler = libc.func("int sched_setscheduler(int tid, int policy, const void *parameters)") as (
  tid: number,
  policy: number,
  parameters: Buffer,
) => number;
// os.setPriority gives its errors a code of its own.
const setPriority = libc.func("int setpriority(int which, unsigned int who, int nice)") as (
  which: number,
  who: number,
  nice: number,
) => number;
const getSession = libc.func("int getsid(int pid)") as (pid: number) => number;

/** <linux/sched.h>: SCHED_OTHER with SCHED_RESET_ON_FORK. */
const normalAndResetOnFork = 0x40000000;

/** Threads of this process as the kernel lists them; `name` is that of proc_pid_comm(5). */
export interface Thread {
  tid: number;
  name: string;
}

export function listThreads(): Thread[] {
  return readdirSync("/proc/self/task").flatMap((tid) => {
    try {
      return [{ tid: Number(tid), name: readFileSync(`/proc/self/task/${tid}/comm`, "utf8").trimEnd() }];
    } catch (error) {
      // It has ended.
      if (hasErrno(error, "ENOENT", "ESRCH")) return [];
      throw error;
    }
  });
}

/**
 * Gives one thread a nice value that what it starts, threads and processes, does not inherit.
 * @throws SystemError EACCES for less than it has without CAP_SYS_NICE
 */
export function setThreadNice(tid: number, nice: number): void {
  // First, so that no child is born between the two that keeps the value.
  check(setScheduler(tid, normalAndResetOnFork, Buffer.alloc(4)), "sched_setscheduler", `of thread ${tid}`);
  const oneThread = 0;
  check(setPriority(oneThread, tid, nice), "setpriority", `of thread ${tid}`);
}

/** Whether this process is the first of its session: where the kernel groups by sessions (sched(7), autogroup), the group is its own. */
export function leadsSession(): boolean {
  return getSession(0) === process.pid;
}
