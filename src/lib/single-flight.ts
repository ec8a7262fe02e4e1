/**
 * Joins callers that want the same work: while `start` for a key is under way, every further caller gets the same
 * promise. Nothing is remembered once it has settled. The work belongs to no single caller.
 */
export class SingleFlight<K, T> {
  readonly #flights = new Map<K, Promise<T>>();

  run(key: K, start: () => Promise<T>): Promise<T> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = start().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  has(key: K): boolean {
    return this.#flights.has(key);
  }
}
