import { DomainError } from "#errors/domain-error.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";

/** Aborts its signal when nobody calls `progress` for too long. Undone by disposing. */
export class StallTimer implements Disposable {
  readonly #stalled = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param timeoutMs 0 for never */
  constructor(timeoutMs: number, what: string) {
    if (timeoutMs <= 0) return;
    this.#timer = setTimeout(
      () => {
        const message = `${what} for ${timeoutMs / 1000} s (pull_progress_timeout)`;
        this.#stalled.abort(
          new DomainError("registry-unavailable", message, { facts: { reason: "CONNECTION_TIMEOUT" } }),
        );
      },
      Math.min(timeoutMs, longestTimerMs),
    );
  }

  get signal(): AbortSignal {
    return this.#stalled.signal;
  }

  progress(): void {
    this.#timer?.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
