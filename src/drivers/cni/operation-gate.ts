/**
 * Lets attachments be made and removed in parallel, and garbage collection only while none is (CNI spec, section 3). Garbage
 * collection waits for a quiet moment, so that a slow attachment does not hold up the others behind it.
 */
export class OperationGate {
  #running = 0;
  #exclusive: Promise<void> | undefined;
  readonly #waiting: (() => void)[] = [];

  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#wake();
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running > 0 || this.#exclusive !== undefined)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exclusive = promise;
    try {
      return await work();
    } finally {
      this.#exclusive = undefined;
      resolve();
      this.#wake();
    }
  }

  #wake(): void {
    if (this.#running === 0) this.#waiting.shift()?.();
  }
}
