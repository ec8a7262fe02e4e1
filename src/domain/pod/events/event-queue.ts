/**
 * What one subscriber has not read yet. When it is full the oldest goes, so that nobody who publishes waits for who reads.
 * One reader at a time.
 */
export class EventQueue<T> implements AsyncIterableIterator<T> {
  readonly #capacity: number;
  readonly #onDropped: () => void;
  #items: T[];
  #waiting: ((result: IteratorResult<T>) => void) | undefined;
  #end: (() => void) | undefined;
  #ended = false;

  /** `onEnd` is called once, when the reader goes away or `end` is called. `first` is there to be read at once. */
  constructor(capacity: number, options: { first?: readonly T[]; onDropped: () => void; onEnd: () => void }) {
    this.#capacity = capacity;
    this.#onDropped = options.onDropped;
    this.#end = options.onEnd;
    this.#items = [...(options.first ?? [])].slice(-capacity);
  }

  push(item: T): void {
    if (this.#ended) return;
    if (this.#waiting !== undefined) {
      this.#wake({ value: item, done: false });
      return;
    }
    if (this.#items.length >= this.#capacity) {
      this.#items.shift();
      this.#onDropped();
    }
    this.#items.push(item);
  }

  /** Whoever reads gets nothing more. */
  end(): void {
    this.#ended = true;
    this.#items = [];
    this.#end?.();
    this.#end = undefined;
    this.#wake({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<T>> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve({ value: item, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    const { promise, resolve } = Promise.withResolvers<IteratorResult<T>>();
    this.#waiting = resolve;
    return promise;
  }

  return(): Promise<IteratorResult<T>> {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wake(result: IteratorResult<T>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
  }
}
