/**
 * Counts who refers to a key. A claim stands in for the reference that something fresh will get soon: a layer of an image that
 * is still being pulled must not be collected.
 */
export class ReferenceCounts<K> {
  readonly #counts = new Map<K, number>();
  readonly #claims = new Map<K, number>();
  readonly #claimMs: number;
  readonly #now: () => number;

  constructor(claimMs: number, now: () => number = Date.now) {
    this.#claimMs = claimMs;
    this.#now = now;
  }

  retain(keys: Iterable<K>): void {
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  release(keys: Iterable<K>): void {
    for (const key of keys) {
      const count = (this.#counts.get(key) ?? 0) - 1;
      if (count > 0) this.#counts.set(key, count);
      else this.#counts.delete(key);
    }
  }

  /** Keeps `key` from being collected for a while although nothing refers to it. */
  claim(key: K): void {
    this.#claims.set(key, this.#now());
  }

  /** The claims have become references, or were given up. */
  unclaim(keys: Iterable<K>): void {
    for (const key of keys) this.#claims.delete(key);
  }

  isReferenced(key: K): boolean {
    return this.#counts.has(key);
  }

  /** Nothing refers to the key, and no claim on it is fresh. */
  isGarbage(key: K): boolean {
    const claimedAt = this.#claims.get(key);
    return !this.#counts.has(key) && (claimedAt === undefined || this.#now() - claimedAt > this.#claimMs);
  }
}
