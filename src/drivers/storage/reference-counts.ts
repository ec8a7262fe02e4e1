interface Claim {
  /** When the last claim was made; `undefined` once it has become a reference or was given up. */
  atMs: number | undefined;
  /** Greater than that of all holds that had begun by then. */
  sequence: number;
}

/**
 * Counts who refers to a key. A claim stands in for the reference that something fresh will get soon: a layer of an image that
 * is still being pulled must not be collected.
 */
export class ReferenceCounts<K> {
  readonly #counts = new Map<K, number>();
  readonly #claims = new Map<K, Claim>();
  /** Sequence numbers, the oldest first. */
  readonly #holds = new Set<number>();
  #sequence = 0;
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

  /** Keeps `key` from being collected for a while although nothing refers to it, and as long as a hold that has begun lasts. */
  claim(key: K): void {
    this.#claims.set(key, { atMs: this.#now(), sequence: this.#sequence });
  }

  /** Until it is disposed of, no key is collected that is claimed from now on: the claims of one pull cannot be told from another's. */
  hold(): Disposable {
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#holds.add(sequence);
    return {
      [Symbol.dispose]: () => {
        this.#holds.delete(sequence);
        for (const [key, claim] of this.#claims) if (!this.#counted(claim)) this.#claims.delete(key);
      },
    };
  }

  /** The claims have become references, or were given up. */
  unclaim(keys: Iterable<K>): void {
    for (const key of keys) {
      const claim = this.#claims.get(key);
      if (claim === undefined) continue;
      claim.atMs = undefined;
      if (!this.#counted(claim)) this.#claims.delete(key);
    }
  }

  /** Gives up all claims that no hold makes count. */
  unclaimAll(): void {
    this.unclaim([...this.#claims.keys()]);
  }

  /** How many claims are remembered. */
  get claimed(): number {
    return this.#claims.size;
  }

  /** Nothing refers to the key, and no claim on it counts any more. */
  isGarbage(key: K): boolean {
    const claim = this.#claims.get(key);
    return !this.#counts.has(key) && (claim === undefined || !this.#counted(claim));
  }

  #counted({ atMs, sequence }: Claim): boolean {
    if (atMs !== undefined && this.#now() - atMs <= this.#claimMs) return true;
    const [oldestHold] = this.#holds;
    return oldestHold !== undefined && oldestHold <= sequence;
  }
}
