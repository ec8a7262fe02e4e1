import { setTimeout as delay } from "node:timers/promises";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import type { LayerSource, UnpackProgress } from "./index.ts";
import type { Task } from "./worker/worker-pool.ts";

/** Large enough that messages cost nothing, small enough that eight layers at once stay within a few MiB. */
const bufferBytes = 256 * 1024;
const buffersPerFeed = 4;

export interface FeedOptions {
  /** What is fed, for messages: `layer sha256:...`. */
  subject: string;
  signal: AbortSignal;
  retries: number;
  retryDelayMs: number;
  onProgress?: ((progress: UnpackProgress) => void) | undefined;
}

interface Filling {
  buffer: ArrayBuffer;
  bytes: Uint8Array;
  length: number;
}

/**
 * Carries a source's bytes to a worker through a few buffers that go to and fro, so that a slow disk slows the download down.
 * A broken stream is reopened at the offset reached.
 */
export class LayerFeed {
  readonly #source: LayerSource;
  readonly #options: FeedOptions;
  readonly #free: ArrayBuffer[] = Array.from({ length: buffersPerFeed }, () => new ArrayBuffer(bufferBytes));
  #waiting: (() => void) | undefined;
  #filling: Filling | undefined;
  #takenBytes = 0;
  #receivedBytes = 0;

  constructor(source: LayerSource, options: FeedOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** For the task's `onTaken`. */
  readonly taken = (buffer: ArrayBuffer, length: number): void => {
    this.#free.push(buffer);
    this.#waiting?.();
    this.#takenBytes += length;
    this.#options.onProgress?.({ compressedBytes: this.#takenBytes });
  };

  /** Feeds all bytes and ends the task; gives its result. On failure the task has ended too. @throws DomainError */
  async run<T>(task: Pick<Task<"unpack">, "data" | "end" | "abort"> & { done: Promise<T> }): Promise<T> {
    // The worker may fail while this waits for the network: that ends the download.
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const worked = task.done.catch((error: unknown) => {
      stop.abort();
      throw new DomainError(kindOf(error), `${this.#options.subject}: ${messageOf(error)}`, { cause: error });
    });
    worked.catch(() => undefined);
    try {
      await this.#download(task, signal);
      this.#flush(task);
      task.end();
    } catch (error) {
      const workerFailed = stop.signal.aborted;
      task.abort();
      await worked.catch((workerError: unknown) => {
        if (workerFailed) throw workerError;
      });
      throw error;
    }
    return await this.#orAborted(task, worked);
  }

  async #orAborted<T>(task: Pick<Task<"unpack">, "abort">, worked: Promise<T>): Promise<T> {
    const abort = (): void => task.abort();
    this.#options.signal.addEventListener("abort", abort, { once: true });
    if (this.#options.signal.aborted) abort();
    try {
      return await worked;
    } catch (error) {
      throw this.#options.signal.aborted ? cancelled() : error;
    } finally {
      this.#options.signal.removeEventListener("abort", abort);
    }
  }

  async #download(task: Pick<Task<"unpack">, "data">, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const before = this.#receivedBytes;
      const failure = await this.#receive(task, signal);
      if (signal.aborted) throw cancelled();
      if (this.#receivedBytes === this.#source.sizeBytes && failure === undefined) return;
      const endedAgain = failure === undefined && attempt > 0 && this.#receivedBytes === before;
      if (endedAgain || attempt === this.#options.retries || !isTransient(failure))
        throw this.#broken(failure, attempt);
      await delay(this.#options.retryDelayMs * 2 ** attempt, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw cancelled();
    }
  }

  /** Reads one stream to its end; gives what broke it. */
  async #receive(task: Pick<Task<"unpack">, "data">, signal: AbortSignal): Promise<unknown> {
    if (this.#receivedBytes === this.#source.sizeBytes && this.#receivedBytes > 0) return undefined;
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    const cancel = (): void => void reader?.cancel().catch(() => undefined);
    try {
      reader = (await this.#source.open(this.#receivedBytes, signal)).getReader();
      signal.addEventListener("abort", cancel, { once: true });
      while (!signal.aborted) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        if (this.#receivedBytes + value.length > this.#source.sizeBytes) throw this.#tooLong();
        await this.#append(task, value, signal);
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  async #append(task: Pick<Task<"unpack">, "data">, value: Uint8Array, signal: AbortSignal): Promise<void> {
    let offset = 0;
    while (offset < value.length && !signal.aborted) {
      const target = this.#filling ?? (await this.#nextBuffer(signal));
      if (target === undefined) return;
      const piece = value.subarray(offset, offset + bufferBytes - target.length);
      target.bytes.set(piece, target.length);
      target.length += piece.length;
      offset += piece.length;
      this.#receivedBytes += piece.length;
      if (target.length === bufferBytes) this.#flush(task);
    }
  }

  /** Waits for the worker to give a buffer back; that is what slows the download to the disk's speed. */
  async #nextBuffer(signal: AbortSignal): Promise<Filling | undefined> {
    while (this.#free.length === 0 && !signal.aborted) {
      const freed = Promise.withResolvers<void>();
      this.#waiting = freed.resolve;
      signal.addEventListener("abort", this.#waiting, { once: true });
      await freed.promise;
      signal.removeEventListener("abort", this.#waiting);
    }
    const buffer = this.#free.pop();
    if (buffer === undefined) return undefined;
    this.#filling = { buffer, bytes: new Uint8Array(buffer), length: 0 };
    return this.#filling;
  }

  #flush(task: Pick<Task<"unpack">, "data">): void {
    const filled = this.#filling;
    this.#filling = undefined;
    if (filled !== undefined && filled.length > 0) task.data(filled.buffer, filled.length);
  }

  #tooLong(): DomainError {
    const { subject } = this.#options;
    const message = `${subject}: more than the ${this.#source.sizeBytes} bytes that the manifest declares came`;
    return new DomainError("data-loss", message);
  }

  #broken(failure: unknown, attempt: number): DomainError {
    const { sizeBytes } = this.#source;
    const at = `${this.#options.subject}: the download ended at byte ${this.#receivedBytes} of ${sizeBytes}`;
    const tries = attempt === 0 ? "" : ` after ${attempt} resumptions`;
    if (failure === undefined)
      return new DomainError("data-loss", `${at}${tries}: the content is shorter than declared`);
    if (failure instanceof DomainError && (failure.kind === "data-loss" || this.#receivedBytes === 0)) return failure;
    const kind = failure instanceof DomainError ? kindOf(failure) : "unavailable";
    return new DomainError(kind, `${at}${tries}: ${messageOf(failure)}`, { cause: failure });
  }
}

/** Whether asking again may help. What is no DomainError is a broken connection. */
function isTransient(failure: unknown): boolean {
  if (!(failure instanceof DomainError)) return true;
  return ["unavailable", "registry-unavailable", "deadline-exceeded", "aborted"].includes(failure.kind);
}

function cancelled(): DomainError {
  return new DomainError("cancelled", "the download was cancelled");
}
