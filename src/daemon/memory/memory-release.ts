import { messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";

/** What a release looks at and does. */
export interface MemorySteps {
  /** For how long the event loop has been busy since the start of the process. */
  busyMs(): number;
  residentBytes(): number;
  /** What the JavaScript heap takes, used or not. */
  heapBytes(): number;
  /** Collects garbage and gives the pages of the heap that are free then back. Stops this thread for some 50 ms. */
  collectGarbage(): void;
  /** Gives what else is not needed back, off this thread. */
  dropPages(): Promise<void>;
  /** Processor time of the process so far. */
  processorMs(): number;
}

/** How often it is looked whether the daemon is busy. */
const lookIntervalMs = 500;
/** Of an interval: below it the daemon counts as quiet. */
const quietShare = 0.05;
/** How many intervals have to be quiet, one after the other. */
const quietLooks = 2;
/** What is worth dropping pages, and what is worth collecting garbage too. */
const residentGrowthBytes = 12 << 20;
const heapGrowthBytes = 8 << 20;
/** What either may cost, as a share of the time that the event loop was busy with something else. */
const dropCostShare = 0.05;
const collectCostShare = 0.03;

/**
 * Gives memory back at quiet moments that follow work: after the start, a burst of pods, or a while of probes. What work has touched once
 * would stay resident for ever, three quarters of it unused. Without work it does nothing but look.
 */
export class MemoryRelease implements Disposable {
  readonly #steps: MemorySteps;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #busyMs: number;
  #quietLooks = 0;
  /** After the last release. */
  #residentBytes = 0;
  #heapBytes = 0;
  /** What the releases so far have cost. */
  #dropMs = 0;
  #collectMs = 0;
  #isReleasing = false;

  constructor(steps: MemorySteps, logger: Logger) {
    this.#steps = steps;
    this.#logger = logger;
    this.#busyMs = steps.busyMs();
    this.#timer = setInterval(() => void this.#look(), lookIntervalMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const busyMs = this.#steps.busyMs();
    const isQuiet = busyMs - this.#busyMs < lookIntervalMs * quietShare;
    this.#busyMs = busyMs;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    if (this.#quietLooks < quietLooks || this.#isReleasing || this.#dropMs > this.#workMs * dropCostShare) return;
    if (this.#steps.residentBytes() - this.#residentBytes < residentGrowthBytes) return;
    this.#isReleasing = true;
    try {
      await this.#release();
    } catch (error) {
      this.#logger.debug("memory cannot be given back", { error: messageOf(error) });
      this[Symbol.dispose]();
    } finally {
      this.#isReleasing = false;
    }
  }

  get #workMs(): number {
    return Math.max(0, this.#busyMs - this.#collectMs);
  }

  async #release(): Promise<void> {
    const beforeBytes = this.#steps.residentBytes();
    const collectMs = this.#collectIfWorthwhile();
    const startMs = this.#steps.processorMs();
    await this.#steps.dropPages();
    const dropMs = this.#steps.processorMs() - startMs;
    this.#dropMs += dropMs;
    this.#residentBytes = this.#steps.residentBytes();
    this.#logger.debug("memory was given back", {
      beforeMiB: Math.round(beforeBytes / 2 ** 20),
      afterMiB: Math.round(this.#residentBytes / 2 ** 20),
      collectMs: Math.round(collectMs),
      dropMs: Math.round(dropMs),
    });
  }

  /** Gives the processor time that it took. */
  #collectIfWorthwhile(): number {
    if (this.#collectMs > this.#workMs * collectCostShare) return 0;
    if (this.#steps.heapBytes() - this.#heapBytes < heapGrowthBytes) return 0;
    const startMs = this.#steps.processorMs();
    this.#steps.collectGarbage();
    const tookMs = this.#steps.processorMs() - startMs;
    this.#collectMs += tookMs;
    this.#heapBytes = this.#steps.heapBytes();
    return tookMs;
  }
}
