import { isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import type { WritableLayerUsage } from "#domain/runtime.ts";
import { nowNs } from "#lib/clock.ts";
import { Semaphore } from "#lib/semaphore.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import type { StatsDrivers } from "./stats-drivers.ts";

interface Measured {
  usage: WritableLayerUsage;
  /** Of a clock that never goes back. */
  atMs: number;
  tookMs: number;
  /** True when the container had ended before: it stays as it is. */
  isFinal: boolean;
}

/** A layer that took long to measure is measured less often: at most this share of the time is spent on it. */
const maxShareOfTime = 0.05;

/**
 * Sizes of writable layers. Measuring one walks a tree, so requests get the last measurement at once, and an old one only makes the
 * next happen: in a worker of the storage, one layer at a time, and none at all while nobody asks.
 */
export class WritableLayers {
  readonly #drivers: Pick<StatsDrivers, "containers" | "storage" | "logger">;
  readonly #refreshMs: number;
  readonly #known = new Map<string, Measured>();
  readonly #measuring = new SingleFlight<string, void>();
  readonly #oneAtATime = new Semaphore(1);

  constructor(drivers: Pick<StatsDrivers, "containers" | "storage" | "logger">, refreshMs: number) {
    this.#drivers = drivers;
    this.#refreshMs = refreshMs;
  }

  /** As last measured; undefined before the first time. */
  usage(container: Container): WritableLayerUsage | undefined {
    const known = this.#known.get(container.id);
    if (this.#isDue(known)) void this.measure(container);
    return known?.usage;
  }

  /** Measures now, or joins a measurement under way. Never rejects: a layer that cannot be measured keeps its last size. */
  measure({ id }: Container): Promise<void> {
    return this.#measuring.run(id, () => this.#oneAtATime.run(() => this.#measure(id)));
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
  }

  #isDue(known: Measured | undefined): boolean {
    if (known === undefined) return true;
    if (known.isFinal) return false;
    return performance.now() - known.atMs >= Math.max(this.#refreshMs, known.tookMs / maxShareOfTime);
  }

  async #measure(id: string): Promise<void> {
    const { containers, storage, logger } = this.#drivers;
    const before = containers.index.current(id);
    const startedMs = performance.now();
    try {
      const { usedBytes, inodesUsed } = await storage.rootfsUsage(id);
      if (before === undefined || containers.index.current(id) === undefined) return;
      const atMs = performance.now();
      const usage = { timestampNs: BigInt(nowNs()), mountpoint: storage.containerRoot, usedBytes, inodesUsed };
      this.#known.set(id, { usage, atMs, tookMs: atMs - startedMs, isFinal: !isLive(before) });
    } catch (error) {
      // Mostly a container that is being removed.
      logger.debug("cannot measure a writable layer", { container: id, error });
    }
  }
}
