import { stat, writeFile } from "node:fs/promises";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import { leadsSession, listThreads, setThreadNice } from "#kernel/thread-priority.ts";
import type { Logger } from "#observability/logger.ts";

/** Node's name for the threads of its pool. */
const poolThread = "libuv-worker";

/**
 * Puts the threads that answer calls before all that the node computes: the main one, which needs little, and half as far those of Node's
 * pool, for which it waits whenever one of them holds the pool's lock without a processor. Runtimes, plugins and the threads that unpack
 * layers stay as they are. What the machine does not allow is one warning.
 */
export async function raisePriority(nice: number, logger: Logger): Promise<void> {
  if (nice === 0) return;
  try {
    // The first use of the pool starts all its threads.
    await stat("/");
    for (const { tid, name } of listThreads()) if (name === poolThread) setThreadNice(tid, Math.trunc(nice / 2));
    setThreadNice(process.pid, nice);
    await raiseSession(nice);
  } catch (error) {
    if (!hasErrno(error, "EACCES", "EPERM")) throw error;
    logger.warn("the event loop keeps its nice value, and may be late while the node is busy", {
      wanted: nice,
      error: messageOf(error),
    });
  }
}

/** Where no service manager gives this service a share of the processors, the kernel gives each session the same (sched(7)). */
async function raiseSession(nice: number): Promise<void> {
  if (!leadsSession()) return;
  try {
    await writeFile("/proc/self/autogroup", String(nice));
  } catch (error) {
    // A kernel without it.
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
