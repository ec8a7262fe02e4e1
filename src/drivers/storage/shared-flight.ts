import { leftEarly } from "./left-early.ts";

interface Flight<T, P> {
  readonly stop: AbortController;
  readonly result: Promise<T>;
  readonly waiters: Set<(progress: P) => void>;
  lastProgress: P | undefined;
}

/**
 * Joins callers that want the same work. Each sees its progress and may leave by its own signal; the work is stopped when all
 * have left.
 */
export class SharedFlight<K, T, P> {
  readonly #flights = new Map<K, Flight<T, P>>();

  /** @throws DomainError when `signal` aborts: its reason, or cancelled; or what `start` threw */
  async join(
    key: K,
    options: { signal: AbortSignal; onProgress?: ((progress: P) => void) | undefined },
    start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
  ): Promise<T> {
    if (options.signal.aborted) throw leftEarly(options.signal);
    const flight = this.#flights.get(key) ?? this.#begin(key, start);
    const waiter = options.onProgress ?? (() => undefined);
    // Wrapped, so that one function given twice counts twice.
    const report = (progress: P): void => waiter(progress);
    flight.waiters.add(report);
    if (flight.lastProgress !== undefined) report(flight.lastProgress);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(leftEarly(options.signal));
    options.signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([flight.result, left.promise]);
    } finally {
      options.signal.removeEventListener("abort", leave);
      flight.waiters.delete(report);
      if (flight.waiters.size === 0) {
        // A caller that comes now starts afresh instead of joining work that is being stopped.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.stop.abort();
      }
    }
  }

  /** Resolves when no work is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#flights.values()].map((flight) => flight.result));
  }

  #begin(key: K, start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>): Flight<T, P> {
    const stop = new AbortController();
    const result = Promise.withResolvers<T>();
    const flight: Flight<T, P> = { stop, result: result.promise, waiters: new Set(), lastProgress: undefined };
    const report = (progress: P): void => {
      flight.lastProgress = progress;
      for (const waiter of flight.waiters) waiter(progress);
    };
    flight.result
      .catch(() => undefined)
      .finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
    start(stop.signal, report).then(result.resolve, result.reject);
    this.#flights.set(key, flight);
    return flight;
  }
}
