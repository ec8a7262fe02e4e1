/** Calls back once when nothing has happened for a while. Idle until it is started. */
export class QuietTimer {
  readonly #onQuiet: () => void;
  readonly #isBusy: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #limit: NodeJS.Timeout | undefined;
  #stopped = false;

  /** While `isBusy`, silence does not count: what waits for a slow client has not been heard yet. */
  constructor(isBusy: () => boolean, onQuiet: () => void) {
    this.#isBusy = isBusy;
    this.#onQuiet = onQuiet;
  }

  /** Calls back after `quietMs` without a `touch`, or after `limitMs` in any case. Starting again changes the times. */
  start(quietMs: number, limitMs?: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    clearTimeout(this.#limit);
    this.#timer = setTimeout(() => {
      if (this.#isBusy()) this.#timer?.refresh();
      else this.#end();
    }, quietMs);
    if (limitMs !== undefined) this.#limit = setTimeout(() => this.#end(), limitMs);
  }

  touch(): void {
    this.#timer?.refresh();
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#limit);
  }

  #end(): void {
    if (this.#stopped) return;
    this.stop();
    this.#onQuiet();
  }
}
