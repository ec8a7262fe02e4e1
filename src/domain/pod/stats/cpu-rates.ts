interface Sample {
  usageNs: bigint;
  atMs: number;
}

/**
 * Mean use of CPUs between two samples. A window is not closed before `minWindowMs`, so that several clients that ask at the same
 * time do not take each other's window away; until then they get the rate of the window before.
 */
export class CpuRates {
  readonly #minWindowMs: number;
  readonly #known = new Map<string, { base: Sample; nanoCores: number | undefined }>();

  constructor(minWindowMs = 500) {
    this.#minWindowMs = minWindowMs;
  }

  /** Billionths of a CPU; undefined before the second sample. `atMs` is of a clock that never goes back. */
  nanoCores(id: string, usageNs: bigint, atMs: number): number | undefined {
    const known = this.#known.get(id);
    const elapsedMs = known === undefined ? 0 : atMs - known.base.atMs;
    if (known !== undefined && elapsedMs < this.#minWindowMs) return known.nanoCores;
    const usedNs = known === undefined ? undefined : Number(usageNs - known.base.usageNs);
    // A counter that went back is that of a new group.
    const nanoCores = usedNs === undefined || usedNs < 0 ? undefined : Math.round((usedNs * 1000) / elapsedMs);
    this.#known.set(id, { base: { usageNs, atMs }, nanoCores });
    return nanoCores;
  }

  forget(id: string): void {
    this.#known.delete(id);
  }
}
