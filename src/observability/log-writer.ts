import { write, writeSync } from "node:fs";

export interface LogWriter {
  /** Queues a line. Returns at once, also when whoever reads the other end does not. */
  write(line: string): void;
  /** Writes what is queued, blocking, as far as the other end takes it; for the last lines of a process. */
  flushSync(): void;
}

/** What stops a slow reader of the log from filling the memory of the daemon. */
const mostQueuedBytes = 4 * 1024 * 1024;
const retryMs = 20;

/**
 * Writes lines to a file descriptor in the background. Node's own stderr is synchronous for pipes, sockets and files,
 * so a journald that stands still would stop the daemon. When the queue is full lines are dropped, and their number is
 * written as soon as there is room.
 */
export function createLogWriter(fd: number): LogWriter {
  let queue: string[] = [];
  let queuedBytes = 0;
  let dropped = 0;
  let flying: Buffer | undefined;

  const takeQueue = (): Buffer => {
    const lines = queue;
    if (dropped > 0) lines.push(`level=warn msg="${dropped} log lines were dropped: the log is read too slowly"\n`);
    queue = [];
    queuedBytes = 0;
    dropped = 0;
    return Buffer.from(lines.join(""));
  };
  const pump = (): void => {
    if (flying === undefined) {
      if (queue.length === 0) return;
      flying = takeQueue();
    }
    write(fd, flying, (error, written) => {
      if (error !== null && error.code === "EAGAIN") {
        setTimeout(pump, retryMs).unref();
        return;
      }
      // Nothing can be reported when the log itself is gone (EPIPE, ENOSPC); later lines are tried again.
      const rest = error === null ? flying?.subarray(written) : undefined;
      flying = rest === undefined || rest.length === 0 ? undefined : rest;
      pump();
    });
  };
  return {
    write(line) {
      if (queuedBytes > mostQueuedBytes) {
        dropped += 1;
        return;
      }
      queue.push(line);
      queuedBytes += line.length;
      if (queue.length === 1 && flying === undefined) queueMicrotask(pump);
    },
    flushSync() {
      const rest = takeQueue();
      try {
        if (rest.length > 0) writeSync(fd, rest);
      } catch {
        // The reader is gone or does not read: the process ends without these lines.
      }
    },
  };
}
