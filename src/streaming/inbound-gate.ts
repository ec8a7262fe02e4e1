/**
 * Stops reading from a shared transport while any of its streams is full. Neither SPDY (as Kubernetes speaks it,
 * without windows) nor WebSocket channels can hold back one stream alone, so a full one holds back the connection; the
 * alternative is memory without bound.
 */
export class InboundGate {
  readonly #closedBy = new Set<object>();
  readonly #pause: () => void;
  readonly #resume: () => void;
  #openForGood = false;

  constructor(pause: () => void, resume: () => void) {
    this.#pause = pause;
    this.#resume = resume;
  }

  /** Stops reading on behalf of `holder` until it calls `open`. */
  close(holder: object): void {
    if (this.#openForGood || this.#closedBy.has(holder)) return;
    this.#closedBy.add(holder);
    if (this.#closedBy.size === 1) this.#pause();
  }

  /** Takes back what `holder` asked for; reading goes on once nobody objects. */
  open(holder: object): void {
    if (this.#closedBy.delete(holder) && this.#closedBy.size === 0) this.#resume();
  }

  /** Reads on whatever the streams say: used when the rest of the input is to be thrown away. */
  openForGood(): void {
    this.#openForGood = true;
    const wasClosed = this.#closedBy.size > 0;
    this.#closedBy.clear();
    if (wasClosed) this.#resume();
  }
}
