/** Work under way by key, for whoever has to wait until there is none. */
export class InFlight<K> {
  readonly #running = new Map<K, Set<Promise<unknown>>>();

  /** Runs `work` and counts it under `key` until it settles. */
  async run<T>(key: K, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key) ?? new Set();
    const promise = work();
    this.#running.set(key, running.add(promise));
    try {
      return await promise;
    } finally {
      running.delete(promise);
      if (running.size === 0 && this.#running.get(key) === running) this.#running.delete(key);
    }
  }

  /** Resolves when what is under way for `key` now has settled, well or not. */
  async settled(key: K): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) await Promise.allSettled(running);
  }
}
