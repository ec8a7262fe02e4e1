import { createInflate } from "node:zlib";
import { spdyDictionary } from "./dictionary.ts";
import { SpdyProtocolError } from "./frames.ts";

/** Decompressed size of one header block; a frame of 64 KiB could otherwise grow a thousandfold. */
const maxBlockBytes = 64 * 1024;

/** Reads a decompressed block: a count, then names and values, each after its length in 32 bits (SPDY/3, 2.6.10). */
export function parseHeaderBlock(block: Buffer): ReadonlyMap<string, string> {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > block.length) throw new SpdyProtocolError("header block ends early");
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (offset + length > block.length) throw new SpdyProtocolError("header block ends early");
    offset += length;
    return block.toString("utf8", offset - length, offset);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left -= 1) {
    const name = text().toLowerCase();
    const [first = ""] = text().split("\0");
    headers.set(name, first);
  }
  return headers;
}

/**
 * Decompresses the header blocks of one connection, which share one zlib stream and must be given in order. Holds a
 * native handle until `close`.
 */
export class HeaderDecompressor {
  readonly #inflate = createInflate({ dictionary: spdyDictionary });
  #parts: Buffer[] = [];
  #size = 0;
  #failure: Error | undefined;
  #onFailure: ((error: Error) => void) | undefined;

  constructor() {
    this.#inflate.on("error", (error) => this.#fail(new SpdyProtocolError(`header block: ${error.message}`)));
    this.#inflate.on("data", (part: Buffer) => {
      this.#size += part.length;
      if (this.#size > maxBlockBytes) this.#fail(new SpdyProtocolError(`header block above ${maxBlockBytes} bytes`));
      else this.#parts.push(part);
    });
  }

  /** The headers of one block, names in lower case; of several values the first. Rejects with `SpdyProtocolError`. */
  async read(block: Buffer): Promise<ReadonlyMap<string, string>> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#parts = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      this.#onFailure = reject;
      this.#inflate.write(block, (error) => (error ? reject(error) : resolve()));
    });
    this.#onFailure = undefined;
    return parseHeaderBlock(Buffer.concat(this.#parts));
  }

  close(): void {
    this.#fail(new SpdyProtocolError("connection closed"));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#inflate.destroy();
    this.#onFailure?.(this.#failure);
  }
}

/** RFC 1950: deflate with a 32 KiB window, no preset dictionary, fastest. */
const zlibHeader = Buffer.from([0x78, 0x01]);
/** RFC 1951, 3.2.4: a stored block of four zero bytes, the count of no headers. */
const noHeaders = Buffer.from([0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
/** An empty stored block: Go's decompressor hands out what it has only then. */
const flush = Buffer.from([0, 0, 0, 0xff, 0xff]);

/**
 * The header block of a frame without headers, all that this server ever sends. Stored blocks make a valid zlib stream
 * without a compressor, which would cost 256 KiB per connection. The first block of a connection opens that stream.
 */
export function emptyHeaderBlock(isFirst: boolean): Buffer {
  return Buffer.concat(isFirst ? [zlibHeader, noHeaders, flush] : [noHeaders, flush]);
}
