import { DomainError } from "#errors/domain-error.ts";

/** A message travels behind one byte of flags and four of length. */
export const prefixBytes = 5;

/** Of an uncompressed message. */
const emptyPrefix = Buffer.alloc(prefixBytes);

const nothing = Buffer.alloc(0);

/** A message, given in pieces, with its prefix, ready to be sent. Copies once. */
export function frameOf(pieces: readonly Uint8Array[]): Buffer {
  const frame = Buffer.concat([emptyPrefix, ...pieces]);
  frame.writeUInt32BE(frame.length - prefixBytes, 1);
  return frame;
}

/** A message as it came. */
export interface ReceivedMessage {
  readonly isCompressed: boolean;
  readonly bytes: Buffer;
}

/** Cuts what comes from a stream, in pieces of any size, into messages. */
export class MessageReader {
  readonly #maxBytes: number;
  #buffer: Buffer = nothing;
  #bytes = 0;

  /** `maxBytes` is the limit of one message. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True when nothing is left over: the stream may end here. */
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Keeps `chunk` itself when nothing else is left: nobody may write to it afterwards. */
  push(chunk: Buffer): void {
    if (this.#bytes === 0) this.#buffer = chunk;
    else this.#append(chunk);
    this.#bytes += chunk.length;
  }

  /**
   * The next message, undefined while it is not complete.
   * @throws DomainError resource-exhausted as soon as a message's prefix says that it is too long, internal for unknown flags
   */
  next(): ReceivedMessage | undefined {
    if (this.#bytes < prefixBytes) return undefined;
    const end = prefixBytes + this.#length();
    if (this.#bytes < end) return undefined;
    const message = { isCompressed: this.#buffer[0] === 1, bytes: this.#buffer.subarray(prefixBytes, end) };
    // Not an empty view, which would keep all of it.
    this.#buffer = end === this.#bytes ? nothing : this.#buffer.subarray(end, this.#bytes);
    this.#bytes -= end;
    return message;
  }

  #length(): number {
    const [flags = 0] = this.#buffer;
    if (flags > 1) throw new DomainError("internal", `a message begins with unknown flags: ${flags}`);
    const length = this.#buffer.readUInt32BE(1);
    if (length > this.#maxBytes) throw tooLong(length, this.#maxBytes);
    return length;
  }

  /** Grows by doubling: a message that comes byte by byte must cost neither a copy nor an object for each. */
  #append(chunk: Buffer): void {
    const needed = this.#bytes + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes));
      this.#buffer.copy(grown, 0, 0, this.#bytes);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#bytes);
  }
}

/** A message beyond the limit that was set for it. */
export function tooLong(lengthBytes: number, maxBytes: number): DomainError {
  return new DomainError("resource-exhausted", `a message of ${lengthBytes} bytes exceeds the limit of ${maxBytes}`);
}
