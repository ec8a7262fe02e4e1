import { write } from "node:fs";

export interface LogWriter {
  /** Queues a line. Returns at once, also when whoever reads the other end does not. */
  write(line: string): void;
  /** Resolves when all that was queued before is written or given up. */
  flushed(): Promise<void>;
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
  let isBusy = false;
  let waiting: (() => void)[] = [];

  const takeQueue = (): Buffer => {
    const lines = queue;
    if (dropped > 0) lines.push(`level=warn msg="${dropped} log lines were dropped: the log is read too slowly"\n`);
    queue = [];
    queuedBytes = 0;
    dropped = 0;
    return Buffer.from(lines.join(""));
  };
  const next = (): void => {
    if (queue.length > 0) return writeOut(takeQueue());
    isBusy = false;
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  const writeOut = (bytes: Buffer): void => {
    write(fd, bytes, (error, written) => {
      if (error !== null && error.code === "EAGAIN") setTimeout(() => writeOut(bytes), retryMs);
      // Nothing can be reported when the log itself is gone (EPIPE, ENOSPC); later lines are tried again.
      else if (error === null && written < bytes.length) writeOut(bytes.subarray(written));
      else next();
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
      if (isBusy) return;
      isBusy = true;
      // Lines logged in one turn of the event loop go out together.
      queueMicrotask(next);
    },
    async flushed() {
      if (isBusy) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}
