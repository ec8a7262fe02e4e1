import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { DomainError, messageOf } from "#errors/domain-error.ts";

export type Compression = "gzip" | "zstd" | "none";

const magicBytes = 4;
const outputBytes = 512 * 1024;

/** What the first four bytes say; media types lie. @throws DomainError invalid-argument for bzip2 and xz, which layers may not use */
export function compressionOf(start: Uint8Array): Compression {
  const [a, b, c, d] = start;
  if (a === 0x1f && b === 0x8b) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  // A skippable frame, which zstd:chunked and seekable zstd may begin with.
  if (a !== undefined && (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18) return "zstd";
  const text = Buffer.from(start).toString("latin1");
  if (text.startsWith("BZh") || text.startsWith("\u00fd7zX")) {
    throw new DomainError(
      "invalid-argument",
      "the layer is compressed with bzip2 or xz; gzip, zstd and none are supported",
    );
  }
  return "none";
}

/** Takes a piece of output; a promise asks to wait with the next one until it resolves. */
export type OnOutput = (bytes: Buffer) => Promise<void> | undefined;

/**
 * Turns compressed bytes, in pieces, into calls of `onOutput`, one after the other. Inflating runs on Node's thread pool and goes
 * on with the next piece while `onOutput` works on the last one; few pieces of output wait.
 */
export class Decompressor {
  readonly #onOutput: OnOutput;
  #start: Buffer | undefined = Buffer.alloc(0);
  #compression: Compression | undefined;
  #stream: Transform | undefined;
  readonly #ended = Promise.withResolvers<void>();
  #failure: Error | undefined;
  /** Resolves when the receiver has taken all output that came so far. */
  #busy: Promise<void> | undefined;

  constructor(onOutput: OnOutput) {
    this.#onOutput = onOutput;
    this.#ended.promise.catch(() => undefined);
  }

  /** Resolves when all of `bytes` has been used; the caller may write the next piece before that. Throws what `onOutput` threw. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#start !== undefined) {
      const start = Buffer.concat([this.#start, bytes]);
      this.#start = start.length < magicBytes ? start : undefined;
      if (this.#start === undefined) await this.#begin(start);
      return;
    }
    await this.#pass(bytes);
  }

  /** All has been written; resolves when all output has been handed over. @throws DomainError data-loss when the stream is cut */
  async end(): Promise<void> {
    if (this.#start !== undefined && this.#start.length > 0) this.#output(this.#start);
    this.#stream?.end();
    if (this.#stream !== undefined) await this.#ended.promise;
    await this.#taken();
  }

  /** Frees what zlib holds; no output follows. */
  destroy(): void {
    this.#fail(new Error("stopped"));
    this.#stream?.destroy();
  }

  #begin(start: Buffer): Promise<void> {
    this.#compression = compressionOf(start);
    if (this.#compression !== "none") this.#stream = this.#listen(createStream(this.#compression));
    return this.#pass(start);
  }

  async #pass(bytes: Buffer): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) {
      this.#output(bytes);
      await this.#taken();
      return;
    }
    await Promise.race([new Promise<void>((resolve) => stream.write(bytes, () => resolve())), this.#ended.promise]);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #taken(): Promise<void> {
    await this.#busy;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #listen(stream: Transform): Transform {
    // In a microtask: zlib starts on its next piece once this listener has returned, and so runs beside `onOutput`.
    stream.on("data", (bytes: Buffer) => queueMicrotask(() => this.#output(bytes)));
    stream.on("end", () => queueMicrotask(() => this.#ended.resolve()));
    stream.on("error", (error) => this.#fail(this.#translated(error)));
    return stream;
  }

  #output(bytes: Buffer): void {
    const taken = this.#busy === undefined ? this.#handOver(bytes) : this.#busy.then(() => this.#handOver(bytes));
    if (taken === undefined) return;
    this.#stream?.pause();
    const busy = taken.then(() => {
      if (this.#busy !== busy) return;
      this.#busy = undefined;
      this.#stream?.resume();
    });
    this.#busy = busy;
  }

  /** Never rejects: a failure is kept. */
  #handOver(bytes: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) return undefined;
    const stop = (error: unknown): void => {
      this.#fail(error);
      this.#stream?.destroy();
    };
    try {
      const taken = this.#onOutput(bytes);
      if (taken !== undefined) return taken.then(() => freeOutput(bytes), stop);
      freeOutput(bytes);
    } catch (error) {
      stop(error);
    }
    return undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#ended.reject(this.#failure);
  }

  #translated(error: Error): DomainError {
    return new DomainError("data-loss", `the ${this.#compression} stream is damaged: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The last piece in a buffer of zlib's is the last that anybody sees of it: pieces come in order, and a full buffer is replaced. */
function freeOutput({ buffer, byteOffset, byteLength }: Buffer): void {
  const isWhole = buffer.byteLength === outputBytes && byteOffset + byteLength === outputBytes;
  if (isWhole && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

function createStream(compression: "gzip" | "zstd"): Transform {
  const options = { chunkSize: outputBytes, readableHighWaterMark: outputBytes, writableHighWaterMark: outputBytes };
  return compression === "gzip" ? createGunzip(options) : createZstdDecompress(options);
}
