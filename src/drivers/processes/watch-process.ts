import { hasErrno } from "#errors/domain-error.ts";
import type { ExitWatch, KernelThread } from "#kernel/kernel-thread.ts";
import { isAlive } from "#kernel/process-identity.ts";
import type { Logger } from "#observability/logger.ts";
import type { ProcessRef, ProcessWatch } from "./index.ts";

/** What the daemon or the machine may have no more of for a while: descriptors, memory, watches of epoll. */
const shortages = ["EMFILE", "ENFILE", "ENOMEM", "ENOSPC"];

/**
 * Watches a process by pidfd. One that cannot be watched for want of descriptors or memory may live for all we know: it is tried again every
 * `retryMs`, until it is watched or has ended.
 * @throws Error when the kernel or a security policy lets nobody watch it
 */
export function watchProcess(
  thread: Pick<KernelThread, "watchExit">,
  process: ProcessRef,
  logger: Logger,
  retryMs: number,
): ProcessWatch {
  const first = tryToWatch(thread, process);
  if (!(first instanceof Error)) return first;
  logger.warn("a process cannot be watched now and is tried again", { pid: process.pid, error: first });
  const { promise, resolve } = Promise.withResolvers<void>();
  let watch: ExitWatch | undefined;
  const retries = setInterval(() => {
    const next = tryAgain(thread, process);
    if (next === undefined) return;
    clearInterval(retries);
    watch = next;
    void watch.exited.then(resolve);
  }, retryMs);
  return {
    exited: promise,
    close() {
      clearInterval(retries);
      watch?.close();
    },
  };
}

function tryAgain(thread: Pick<KernelThread, "watchExit">, process: ProcessRef): ExitWatch | undefined {
  try {
    const watch = tryToWatch(thread, process);
    return watch instanceof Error ? undefined : watch;
  } catch {
    // Whatever else is wrong now, nothing says that it has ended.
    return undefined;
  }
}

/** The shortage that it fails for, if there is one. */
function tryToWatch(thread: Pick<KernelThread, "watchExit">, process: ProcessRef): ExitWatch | Error {
  try {
    // The pidfd is opened before the check: were it the other way round, the pid could be reused in between.
    const watch = thread.watchExit(process.pid);
    if (isAliveOr(process, () => watch.close())) return watch;
    watch.close();
    return { exited: Promise.resolve(), close() {} };
  } catch (error) {
    if (error instanceof Error && hasErrno(error, ...shortages)) return error;
    throw error;
  }
}

function isAliveOr(process: ProcessRef, undo: () => void): boolean {
  try {
    return isAlive(process);
  } catch (error) {
    undo();
    throw error;
  }
}
