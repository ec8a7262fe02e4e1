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
    await unlessAborted<void>(signal, (changed) => {
      this.#watchers.add(changed);
      return () => this.#watchers.delete(changed);
    });
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await unlessAborted<void>(signal, (over) => {
    const timer = setTimeout(over, ms);
    return () => clearTimeout(timer);
  });
}

/** What `begin` is told to resolve with, or undefined when the signal fires. `begin` gives what ends its wait; nothing stays on the signal. */
async function unlessAborted<T>(
  signal: AbortSignal,
  begin: (resolve: (value: T) => void) => () => void,
): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  const abort = (): void => resolve(undefined);
  signal.addEventListener("abort", abort, { once: true });
  const end = begin(resolve);
  try {
    return await promise;
  } finally {
    end();
    signal.removeEventListener("abort", abort);
  }
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
    return await unlessAborted<PullProgress>(signal, (begun) => {
      const waiting = this.#awaiting.get(image) ?? new Set();
      this.#awaiting.set(image, waiting.add(begun));
      return () => {
        waiting.delete(begun);
        if (waiting.size === 0 && this.#awaiting.get(image) === waiting) this.#awaiting.delete(image);
      };
    });
  }
}
