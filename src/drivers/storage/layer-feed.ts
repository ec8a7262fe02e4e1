import { setTimeout as delay } from "node:timers/promises";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { freeBytes } from "#lib/free-bytes.ts";
import type { LayerSource, UnpackProgress } from "./index.ts";
import { leftEarly } from "./left-early.ts";
import { isWrongContent, wrongContent } from "./sound-place.ts";
import type { FedRequest } from "./worker/protocol.ts";
import type { Task } from "./worker/worker-pool.ts";

/** Large enough that messages cost nothing, small enough that eight layers at once stay within a few MiB. */
const slotBytes = 512 * 1024;
const slotsPerFeed = 4;

/** What a feed does with the task that it feeds. */
type FedTask<T> = Pick<Task<"inflate">, "data" | "end" | "abort"> & { done: Promise<T> };

export interface FeedOptions {
  /** What is fed, for messages: `layer sha256:...`. */
  subject: string;
  signal: AbortSignal;
  retries: number;
  retryDelayMs: number;
  onProgress?: ((progress: UnpackProgress) => void) | undefined;
}

interface Filling {
  slot: number;
  bytes: Uint8Array;
  length: number;
}

/**
 * Carries a source's bytes to a worker through a few slots of memory that both see, so that a slow disk slows the download down.
 * A broken stream is reopened at the offset reached.
 */
export class LayerFeed {
  readonly #source: LayerSource;
  readonly #options: FeedOptions;
  readonly #free = Array.from({ length: slotsPerFeed }, (_, slot) => slot);
  #waiting: (() => void) | undefined;
  #filling: Filling | undefined;
  #takenBytes = 0;
  #receivedBytes = 0;

  /** For the task's request. */
  readonly memory: FedRequest = { memory: new SharedArrayBuffer(slotsPerFeed * slotBytes), slotBytes };

  constructor(source: LayerSource, options: FeedOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** For the task's `onTaken`. */
  readonly taken = (slot: number, length: number): void => {
    this.#free.push(slot);
    this.#waiting?.();
    this.#takenBytes += length;
    this.#options.onProgress?.({ compressedBytes: this.#takenBytes });
  };

  /** Feeds all bytes and ends the task; gives its result. On failure the task has ended too. @throws DomainError */
  async run<T>(task: FedTask<T>): Promise<T> {
    // The worker may fail while this waits for the network: that ends the download.
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const worked = task.done.catch((error: unknown) => {
      stop.abort();
      if (kindOf(error) === "data-loss") throw wrongContent(this.#options.subject, messageOf(error), error);
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

  async #orAborted<T>(task: Pick<Task<"inflate">, "abort">, worked: Promise<T>): Promise<T> {
    const abort = (): void => task.abort();
    this.#options.signal.addEventListener("abort", abort, { once: true });
    if (this.#options.signal.aborted) abort();
    try {
      return await worked;
    } catch (error) {
      throw this.#options.signal.aborted ? leftEarly(this.#options.signal) : error;
    } finally {
      this.#options.signal.removeEventListener("abort", abort);
    }
  }

  async #download(task: Pick<Task<"inflate">, "data">, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const before = this.#receivedBytes;
      const failure = await this.#receive(task, signal);
      if (signal.aborted) throw leftEarly(signal);
      if (this.#receivedBytes === this.#source.sizeBytes && failure === undefined) return;
      const endedAgain = failure === undefined && attempt > 0 && this.#receivedBytes === before;
      if (endedAgain || attempt === this.#options.retries || !isTransient(failure))
        throw this.#broken(failure, attempt);
      await delay(this.#options.retryDelayMs * 2 ** attempt, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw leftEarly(signal);
    }
  }

  /** Reads one stream to its end; gives what broke it. */
  async #receive(task: Pick<Task<"inflate">, "data">, signal: AbortSignal): Promise<unknown> {
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
        freeBytes(value);
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  async #append(task: Pick<Task<"inflate">, "data">, value: Uint8Array, signal: AbortSignal): Promise<void> {
    let offset = 0;
    while (offset < value.length && !signal.aborted) {
      const target = this.#filling ?? (await this.#nextBuffer(signal));
      if (target === undefined) return;
      const piece = value.subarray(offset, offset + slotBytes - target.length);
      target.bytes.set(piece, target.length);
      target.length += piece.length;
      offset += piece.length;
      this.#receivedBytes += piece.length;
      if (target.length === slotBytes) this.#flush(task);
    }
  }

  /** Waits for the worker to give a slot back; that is what slows the download to the disk's speed. */
  async #nextBuffer(signal: AbortSignal): Promise<Filling | undefined> {
    while (this.#free.length === 0 && !signal.aborted) {
      const freed = Promise.withResolvers<void>();
      this.#waiting = freed.resolve;
      signal.addEventListener("abort", this.#waiting, { once: true });
      await freed.promise;
      signal.removeEventListener("abort", this.#waiting);
    }
    const slot = this.#free.pop();
    if (slot === undefined) return undefined;
    this.#filling = { slot, bytes: new Uint8Array(this.memory.memory, slot * slotBytes, slotBytes), length: 0 };
    return this.#filling;
  }

  #flush(task: Pick<Task<"inflate">, "data">): void {
    const filled = this.#filling;
    this.#filling = undefined;
    if (filled !== undefined && filled.length > 0) task.data(filled.slot, filled.length);
  }

  #tooLong(): DomainError {
    const reason = `more than the ${this.#source.sizeBytes} bytes that the manifest declares came`;
    return wrongContent(this.#options.subject, reason);
  }

  #broken(failure: unknown, attempt: number): DomainError {
    const { sizeBytes } = this.#source;
    const { subject } = this.#options;
    const ended = `the download ended at byte ${this.#receivedBytes} of ${sizeBytes}`;
    const at = `${subject}: ${ended}`;
    const tries = attempt === 0 ? "" : ` after ${attempt} resumptions`;
    if (failure === undefined) return wrongContent(subject, `${ended}${tries}: the content is shorter than declared`);
    if (failure instanceof DomainError && failure.kind === "data-loss" && !isWrongContent(failure))
      return wrongContent(subject, failure.message, failure);
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
