import type { ContainerEvent } from "#domain/runtime.ts";

/** The last events, for subscribers that come after them: so many, and none older than so long. */
export class RecentEvents {
  readonly #capacity: number;
  readonly #maxAgeMs: number;
  #kept: { event: ContainerEvent; atMs: number }[] = [];

  constructor(capacity: number, maxAgeMs: number) {
    this.#capacity = capacity;
    this.#maxAgeMs = maxAgeMs;
  }

  /** `nowMs` is of a clock that never goes back. */
  add(event: ContainerEvent, nowMs = performance.now()): void {
    if (this.#capacity === 0) return;
    this.#kept.push({ event, atMs: nowMs });
    // Events hold what their pods were like; those nobody can ask for any more are let go.
    const [oldest] = this.#kept;
    if (this.#kept.length > this.#capacity || (oldest !== undefined && this.#isOld(oldest.atMs, nowMs)))
      this.#kept = this.#recent(nowMs);
  }

  /** Oldest first. */
  all(nowMs = performance.now()): ContainerEvent[] {
    this.#kept = this.#recent(nowMs);
    return this.#kept.map(({ event }) => event);
  }

  #recent(nowMs: number): { event: ContainerEvent; atMs: number }[] {
    return this.#kept.slice(-this.#capacity).filter(({ atMs }) => !this.#isOld(atMs, nowMs));
  }

  #isOld(atMs: number, nowMs: number): boolean {
    return nowMs - atMs > this.#maxAgeMs;
  }
}
