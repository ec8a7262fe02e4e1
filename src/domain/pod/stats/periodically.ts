import { setTimeout as sleep } from "node:timers/promises";

/**
 * Runs `work`, which must not reject, at once and then `periodMs` after each run has ended, so that slow runs never overlap. It
 * keeps no program alive. Disposing it waits for a run under way.
 */
export function periodically(periodMs: number, work: () => Promise<void>): AsyncDisposable {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await work();
      await sleep(periodMs, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
    }
  };
  const ended = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
