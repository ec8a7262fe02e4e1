import { readSync, writeSync } from "node:fs";
import { Duplex } from "node:stream";
import { hasErrno } from "#errors/domain-error.ts";
import type { DescriptorPoll } from "#kernel/descriptor-poll.ts";
import { OwnedDescriptor } from "./owned-descriptor.ts";

export interface DescriptorStreamOptions {
  /** Each read gives one packet, which stays by itself: the readable side is in object mode. */
  readonly packets: boolean;
  /** No write is longer. */
  readonly maxWriteBytes: number;
  /** Errors of read(2) that mean the end. */
  readonly endErrors: readonly string[];
  /** Errors of read(2) that are told once, before what is still there to be read. */
  readonly passingErrors: readonly string[];
  /** Errors of write(2) that mean that nobody takes any more: what is written is thrown away, and reading goes on. */
  readonly goneErrors: readonly string[];
  /** Called once all has been written and no more will be. */
  endWriting(fd: number): void;
}

const readBytes = 64 * 1024;
const packetsHeld = 8;
const writeBytesHeld = 64 * 1024;

type Done = (error?: Error | null) => void;

/** Bytes through a descriptor that Node has no stream for. Owns the descriptor: closes it when it is destroyed, and when it cannot be made. */
export class DescriptorStream extends Duplex {
  protected readonly fd: number;
  readonly #descriptor: OwnedDescriptor;
  readonly #options: DescriptorStreamOptions;
  readonly #poll: DescriptorPoll;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  #wantsInput = false;
  #writing: { rest: Buffer; done: Done } | undefined;

  constructor(fd: number, options: DescriptorStreamOptions) {
    super({
      readableObjectMode: options.packets,
      readableHighWaterMark: options.packets ? packetsHeld : readBytes,
      writableHighWaterMark: writeBytesHeld,
    });
    this.fd = fd;
    this.#options = options;
    this.#descriptor = new OwnedDescriptor(fd);
    try {
      this.#poll = this.#descriptor.poll(this.#onReady);
    } catch (error) {
      this.#descriptor.close();
      throw error;
    }
    // Streams of sessions may be destroyed at any time; what follows from it must never become an uncaught exception.
    this.on("error", () => {});
  }

  override _read(): void {
    this.#wantsInput = true;
    this.#wait();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#writing = { rest: chunk, done };
    this.#write();
  }

  override _final(done: Done): void {
    try {
      this.#options.endWriting(this.fd);
      done();
    } catch (error) {
      done(asError(error));
    }
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#descriptor.close();
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.done(error ?? new Error("the descriptor was closed"));
    done(error);
  }

  readonly #onReady = (): void => {
    if (this.#wantsInput) this.#readOnce();
    if (this.#writing !== undefined) this.#write();
    this.#wait();
  };

  #wait(): void {
    this.#poll.want({ readable: this.#wantsInput, writable: this.#writing !== undefined });
  }

  #readOnce(): void {
    let count: number;
    try {
      count = readSync(this.fd, this.#buffer);
    } catch (error) {
      if (hasErrno(error, "EAGAIN")) return;
      if (hasErrno(error, ...this.#options.passingErrors)) {
        this.#readOnce();
        return;
      }
      if (!hasErrno(error, ...this.#options.endErrors)) {
        this.destroy(asError(error));
        return;
      }
      count = 0;
    }
    this.#wantsInput = false;
    // `push` may ask for more at once, by `_read`.
    this.push(count === 0 ? null : Buffer.from(this.#buffer.subarray(0, count)));
  }

  /** Writes as much as the descriptor takes now. */
  #write(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    try {
      while (writing.rest.length > 0) {
        const count = writeSync(this.fd, writing.rest, 0, Math.min(writing.rest.length, this.#options.maxWriteBytes));
        writing.rest = writing.rest.subarray(count);
      }
      this.#writing = undefined;
      writing.done();
    } catch (error) {
      if (hasErrno(error, "EAGAIN")) {
        this.#wait();
        return;
      }
      this.#writing = undefined;
      writing.done(hasErrno(error, ...this.#options.goneErrors) ? null : asError(error));
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
