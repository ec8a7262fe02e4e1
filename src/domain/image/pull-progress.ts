import type { LayerProgress } from "./image.ts";

/** Least time between two reports of one pull. */
const reportIntervalMs = 100;

/** Where a pull stands, for whoever watches it. */
export class PullProgress {
  readonly #layers = new Map<string, LayerProgress>();
  readonly #watchers = new Set<() => void>();
  #ended = false;

  set(layer: LayerProgress): void {
    this.#layers.set(layer.digest, layer);
    this.#wake();
  }

  /** Calls `listener` after every change, until it is disposed. */
  onChange(listener: () => void): Disposable {
    this.#watchers.add(listener);
    return { [Symbol.dispose]: () => void this.#watchers.delete(listener) };
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  get layers(): LayerProgress[] {
    return [...this.#layers.values()];
  }

  /** Reports now and after changes, at most ten a second, and a last time at the end. */
  async *watch(signal: AbortSignal): AsyncGenerator<LayerProgress[]> {
    while (!signal.aborted) {
      yield this.layers;
      if (this.#ended) return;
      await this.#changed(signal);
      if (!this.#ended) await pause(reportIntervalMs, signal);
    }
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#watchers.delete(resolve);
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}

/** Pulls under way by image name, also for watchers that come before the pull. */
export class PullProgressBoard {
  readonly #running = new Map<string, PullProgress>();
  readonly #awaiting = new Map<string, Set<(progress: PullProgress) => void>>();

  begin(image: string): PullProgress {
    const progress = new PullProgress();
    this.#running.set(image, progress);
    for (const tell of this.#awaiting.get(image) ?? []) tell(progress);
    this.#awaiting.delete(image);
    return progress;
  }

  end(image: string, progress: PullProgress): void {
    progress.end();
    if (this.#running.get(image) === progress) this.#running.delete(image);
  }

  async *watch(image: string, signal: AbortSignal): AsyncGenerator<LayerProgress[]> {
    const progress = this.#running.get(image) ?? (await this.#next(image, signal));
    if (progress !== undefined) yield* progress.watch(signal);
  }

  async #next(image: string, signal: AbortSignal): Promise<PullProgress | undefined> {
    const { promise, resolve } = Promise.withResolvers<PullProgress | undefined>();
    const waiting = this.#awaiting.get(image) ?? new Set();
    this.#awaiting.set(image, waiting.add(resolve));
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    const progress = await promise;
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#awaiting.get(image) === waiting) this.#awaiting.delete(image);
    return progress;
  }
}
