import { flagFin, spdyVersion, SpdyProtocolError } from "./frames.ts";

/** A piece of a data frame. `fin` is set with the last piece of a frame that ends its stream. */
export interface DataPiece {
  readonly kind: "data";
  readonly streamId: number;
  readonly bytes: Buffer;
  readonly fin: boolean;
}

export interface ControlFrame {
  readonly kind: "control";
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** Control frames are gathered in memory; Kubernetes' are below 200 bytes. */
const maxControlLength = 64 * 1024;

const empty = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames. Data frames, up to 16 MiB each, are handed out in pieces as they arrive, without
 * copying; only control frames are waited for.
 */
export class FrameParser {
  #rest: Buffer = empty;
  #data: { streamId: number; remaining: number; fin: boolean } | undefined;

  feed(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** The next frame or piece, or undefined until more bytes are fed. Throws `SpdyProtocolError`. */
  next(): DataPiece | ControlFrame | undefined {
    if (this.#data !== undefined) return this.#nextPiece(this.#data);
    if (this.#rest.length < 8) return undefined;
    const flags = this.#rest.readUInt8(4);
    const length = this.#rest.readUIntBE(5, 3);
    if ((this.#rest.readUInt8(0) & 0x80) !== 0) return this.#nextControl(flags, length);
    const streamId = this.#rest.readUInt32BE(0);
    if (streamId === 0) throw new SpdyProtocolError("data frame for stream 0");
    this.#rest = this.#rest.subarray(8);
    const data = { streamId, remaining: length, fin: (flags & flagFin) !== 0 };
    if (length === 0) return { kind: "data", streamId, bytes: empty, fin: data.fin };
    this.#data = data;
    return this.#nextPiece(data);
  }

  #nextPiece(data: { streamId: number; remaining: number; fin: boolean }): DataPiece | undefined {
    if (this.#rest.length === 0) return undefined;
    const bytes = this.#rest.subarray(0, data.remaining);
    this.#rest = this.#rest.subarray(bytes.length);
    data.remaining -= bytes.length;
    const last = data.remaining === 0;
    if (last) this.#data = undefined;
    return { kind: "data", streamId: data.streamId, bytes, fin: last && data.fin };
  }

  #nextControl(flags: number, length: number): ControlFrame | undefined {
    const version = this.#rest.readUInt16BE(0) & 0x7fff;
    if (version !== spdyVersion) throw new SpdyProtocolError(`control frame of SPDY version ${version}`);
    if (length > maxControlLength) throw new SpdyProtocolError(`control frame of ${length} bytes`);
    if (this.#rest.length < 8 + length) return undefined;
    const type = this.#rest.readUInt16BE(2);
    const payload = this.#rest.subarray(8, 8 + length);
    this.#rest = this.#rest.subarray(8 + length);
    return { kind: "control", type, flags, payload };
  }
}
