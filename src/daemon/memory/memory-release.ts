import { messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";

/** What a release looks at and does. */
export interface MemorySteps {
  /** Time that has passed, whenever it began. */
  elapsedMs(): number;
  /** Processor time that the process has used, all threads. */
  processorMs(): number;
  residentBytes(): number;
  /** What the JavaScript heap takes, used or not. */
  heapBytes(): number;
  /** Collects garbage and gives the pages of the heap that are free then back. Stops this thread for some 50 ms. */
  collectGarbage(): void;
  /** Gives what else is not needed back, off this thread. */
  dropPages(): Promise<void>;
}

/** How often it is looked whether the daemon is busy: while it is, or has been, and while nothing happens. */
const lookIntervalMs = 500;
const idleLookIntervalMs = 2500;
/** Processor time as a share of what passes: below the first the daemon counts as quiet, below the other as idle. */
const quietShare = 0.1;
const idleShare = 0.005;
/** How many looks have to find it quiet, one after the other. */
const quietLooks = 2;
/** What is worth dropping pages, and what is worth collecting garbage too. */
const residentGrowthBytes = 8 << 20;
const heapGrowthBytes = 8 << 20;
/** What either may cost, as a share of the processor time that all else took. */
const dropCostShare = 0.05;
const collectCostShare = 0.05;
/** What collections may cost before that counts: the start and the first images leave much. */
const freeCollectMs = 250;
/** Between two releases: what is used all the time comes back at once, and would be dropped again and again. */
const pauseMs = 10_000;
/** What is worth a release before that. */
const urgentGrowthBytes = 24 << 20;
/** After so many idle looks, some ten seconds, a release is followed by another: threads have ended since, and heaps have holes. */
const idleLooks = 6;

/**
 * Gives memory back at quiet moments that follow work: after the start, a burst of pods, or a while of probes. What work has touched once
 * would stay resident for ever, three quarters of it unused. Without work it does nothing but look.
 */
export class MemoryRelease implements Disposable {
  readonly #steps: MemorySteps;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #lookedAtMs: number;
  #processorMs: number;
  #quietLooks = 0;
  #idleLooks = 0;
  /** After the last release. */
  #residentBytes = 0;
  #heapBytes = 0;
  #owesAnother = false;
  #pauseEndsAtMs = 0;
  /** What the releases so far have cost. */
  #dropMs = 0;
  #collectMs = 0;

  constructor(steps: MemorySteps, logger: Logger) {
    this.#steps = steps;
    this.#logger = logger;
    this.#processorMs = steps.processorMs();
    this.#lookedAtMs = steps.elapsedMs();
    this.#lookAgain(lookIntervalMs);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #lookAgain(afterMs: number): void {
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#look(), afterMs).unref();
  }

  async #look(): Promise<void> {
    const share = this.#busyShare();
    this.#quietLooks = share < quietShare ? this.#quietLooks + 1 : 0;
    this.#idleLooks = share < idleShare ? this.#idleLooks + 1 : 0;
    const isAffordable = this.#dropMs <= this.#workMs * dropCostShare;
    if (this.#quietLooks >= quietLooks && isAffordable) await this.#releaseIfGrown();
    this.#lookAgain(this.#idleLooks > quietLooks ? idleLookIntervalMs : lookIntervalMs);
  }

  /** Of the time since the last call. */
  #busyShare(): number {
    const nowMs = this.#steps.elapsedMs();
    const processorMs = this.#steps.processorMs();
    const share = (processorMs - this.#processorMs) / Math.max(1, nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#processorMs = processorMs;
    return share;
  }

  async #releaseIfGrown(): Promise<void> {
    const worthwhileBytes = this.#lookedAtMs < this.#pauseEndsAtMs ? urgentGrowthBytes : residentGrowthBytes;
    const residentBytes = this.#steps.residentBytes();
    // A thread may have ended.
    this.#residentBytes = Math.min(this.#residentBytes, residentBytes);
    const hasGrown = residentBytes - this.#residentBytes >= worthwhileBytes;
    if (!hasGrown && !(this.#owesAnother && this.#idleLooks >= idleLooks)) return;
    this.#owesAnother = hasGrown;
    try {
      await this.#release();
    } catch (error) {
      this.#logger.debug("memory cannot be given back", { error: messageOf(error) });
      this[Symbol.dispose]();
    }
  }

  get #workMs(): number {
    return Math.max(0, this.#processorMs - this.#collectMs - this.#dropMs);
  }

  async #release(): Promise<void> {
    const beforeBytes = this.#steps.residentBytes();
    const collectMs = this.#collectIfWorthwhile();
    const startMs = this.#steps.processorMs();
    await this.#steps.dropPages();
    const dropMs = this.#steps.processorMs() - startMs;
    this.#dropMs += dropMs;
    this.#residentBytes = this.#steps.residentBytes();
    this.#pauseEndsAtMs = this.#steps.elapsedMs() + pauseMs;
    this.#logger.debug("memory was given back", {
      beforeMiB: Math.round(beforeBytes / 2 ** 20),
      afterMiB: Math.round(this.#residentBytes / 2 ** 20),
      collectMs: Math.round(collectMs),
      dropMs: Math.round(dropMs),
    });
  }

  /** Gives the processor time that it took. */
  #collectIfWorthwhile(): number {
    if (this.#collectMs > freeCollectMs + this.#workMs * collectCostShare) return 0;
    if (this.#steps.heapBytes() - this.#heapBytes < heapGrowthBytes) return 0;
    const startMs = this.#steps.processorMs();
    this.#steps.collectGarbage();
    const tookMs = this.#steps.processorMs() - startMs;
    this.#collectMs += tookMs;
    this.#heapBytes = this.#steps.heapBytes();
    return tookMs;
  }
}
