import { longestTimerMs } from "#lib/longest-timer.ts";

/** Calls back once after `timeoutMs` without a `touch`. Zero or less means never. */
export class IdleTimer {
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, onIdle: () => void) {
    if (timeoutMs > 0) this.#timer = setTimeout(onIdle, Math.min(timeoutMs, longestTimerMs));
  }

  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
