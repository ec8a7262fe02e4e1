import type { ContainerEvent } from "#domain/runtime.ts";

/** The last events, for subscribers that come after them: so many, and none older than so long. */
export class RecentEvents {
  readonly #capacity: number;
  readonly #maxAgeMs: number;
  /** Oldest first. */
  readonly #kept: { event: ContainerEvent; atMs: number }[] = [];

  constructor(capacity: number, maxAgeMs: number) {
    this.#capacity = capacity;
    this.#maxAgeMs = maxAgeMs;
  }

  /** `nowMs` is of a clock that never goes back. */
  add(event: ContainerEvent, nowMs = performance.now()): void {
    if (this.#capacity === 0) return;
    this.#kept.push({ event, atMs: nowMs });
    this.#forget(nowMs);
  }

  /** Oldest first. */
  all(nowMs = performance.now()): ContainerEvent[] {
    this.#forget(nowMs);
    return this.#kept.map(({ event }) => event);
  }

  /** Events hold what their pods were like: those nobody can ask for any more are let go. */
  #forget(nowMs: number): void {
    for (let oldest = this.#kept[0]; oldest !== undefined; oldest = this.#kept[0]) {
      if (this.#kept.length <= this.#capacity && nowMs - oldest.atMs <= this.#maxAgeMs) return;
      this.#kept.shift();
    }
  }
}
