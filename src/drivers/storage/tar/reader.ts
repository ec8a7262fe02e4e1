import { DomainError } from "#errors/domain-error.ts";
import type { Entry } from "./entry.ts";
import { EntryAssembler } from "./assembler.ts";
import { blockBytes } from "./header.ts";

/** Receives the entries of an archive in order. */
export interface EntrySink {
  /** An entry begins; `dataBytes` of data follow in pieces. */
  begin(entry: Entry): void;
  /** Data that belongs at `fileOffset` of the file; only valid during the call. */
  data(bytes: Buffer, fileOffset: number): void;
  /** The entry is complete. */
  end(): void;
}

/** What the next bytes are. */
type State =
  | { kind: "header" }
  /** The content of an extended header or further header blocks, collected before anything else is read. */
  | { kind: "collect"; remaining: number; parts: Buffer[]; done: (bytes: Buffer) => void }
  | { kind: "data"; remaining: number; segment: number; segmentOffset: number; entry: Entry }
  | { kind: "skip"; remaining: number }
  | { kind: "ended" };

/**
 * A tar parser fed with pieces of any size; it keeps at most a block and one extended header. Bytes after the closing blocks
 * are ignored, as every unpacker does.
 */
export class TarReader {
  readonly #sink: EntrySink;
  readonly #assembler = new EntryAssembler();
  readonly #block = Buffer.alloc(blockBytes);
  #blockFilled = 0;
  #zeroBlocks = 0;
  #state: State = { kind: "header" };

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  /** @throws DomainError data-loss for what is no tar, invalid-argument for entries that no layer may hold, and what the sink throws */
  write(bytes: Buffer): void {
    let offset = 0;
    while (offset < bytes.length) {
      const state = this.#state;
      switch (state.kind) {
        case "header":
          offset = this.#readHeader(bytes, offset);
          break;
        case "collect":
          offset = this.#collect(state, bytes, offset);
          break;
        case "data":
          offset = this.#readData(state, bytes, offset);
          break;
        case "skip": {
          const length = Math.min(state.remaining, bytes.length - offset);
          offset += length;
          state.remaining -= length;
          if (state.remaining === 0) this.#state = { kind: "header" };
          break;
        }
        case "ended":
          return;
      }
    }
  }

  /** The stream has ended. Closing blocks may be missing, an entry may not be cut. @throws DomainError data-loss */
  end(): void {
    const clean = this.#state.kind === "ended" || (this.#state.kind === "header" && this.#blockFilled === 0);
    if (!clean || this.#assembler.expectsEntry) {
      throw new DomainError("data-loss", "truncated tar: it ends inside an entry");
    }
  }

  #readHeader(bytes: Buffer, offset: number): number {
    if (this.#blockFilled === 0 && bytes.length - offset >= blockBytes) {
      this.#header(bytes, offset);
      return offset + blockBytes;
    }
    const copied = bytes.copy(this.#block, this.#blockFilled, offset);
    this.#blockFilled += copied;
    if (this.#blockFilled === blockBytes) {
      this.#blockFilled = 0;
      this.#header(this.#block, 0);
    }
    return offset + copied;
  }

  #header(bytes: Buffer, offset: number): void {
    const step = this.#assembler.header(bytes, offset);
    if (step.kind === "zero-block") {
      this.#zeroBlocks += 1;
      if (this.#zeroBlocks === 2) this.#state = { kind: "ended" };
      return;
    }
    this.#zeroBlocks = 0;
    this.#follow(step);
  }

  #follow(step: Exclude<ReturnType<EntryAssembler["header"]>, { kind: "zero-block" }>): void {
    if (step.kind === "entry") this.#begin(step.entry);
    else if (step.kind === "skip") this.#skip(step.bytes);
    else {
      this.#state = {
        kind: "collect",
        remaining: step.bytes,
        parts: [],
        done: (content) => {
          this.#state = { kind: "header" };
          const next = step.onceRead(content);
          if (next !== undefined) this.#follow(next);
        },
      };
      if (step.bytes === 0) this.#state.done(Buffer.alloc(0));
    }
  }

  #collect(state: Extract<State, { kind: "collect" }>, bytes: Buffer, offset: number): number {
    const length = Math.min(state.remaining, bytes.length - offset);
    state.parts.push(Buffer.from(bytes.subarray(offset, offset + length)));
    state.remaining -= length;
    if (state.remaining === 0)
      state.done(state.parts.length === 1 ? (state.parts[0] ?? bytes) : Buffer.concat(state.parts));
    return offset + length;
  }

  #begin(entry: Entry): void {
    this.#sink.begin(entry);
    if (entry.dataBytes === 0) {
      this.#sink.end();
      this.#state = { kind: "header" };
    } else this.#state = { kind: "data", remaining: entry.dataBytes, segment: 0, segmentOffset: 0, entry };
  }

  #readData(state: Extract<State, { kind: "data" }>, bytes: Buffer, offset: number): number {
    const length = Math.min(state.remaining, bytes.length - offset);
    const piece = bytes.subarray(offset, offset + length);
    if (state.entry.sparse === undefined) this.#sink.data(piece, state.entry.dataBytes - state.remaining);
    else this.#sparseData(state, piece);
    state.remaining -= length;
    if (state.remaining === 0) {
      this.#sink.end();
      this.#skip(padding(state.entry.dataBytes));
    }
    return offset + length;
  }

  #sparseData(state: Extract<State, { kind: "data" }>, bytes: Buffer): void {
    let offset = 0;
    while (offset < bytes.length) {
      const segment = state.entry.sparse?.[state.segment];
      if (segment === undefined) return;
      const length = Math.min(segment.length - state.segmentOffset, bytes.length - offset);
      if (length > 0) this.#sink.data(bytes.subarray(offset, offset + length), segment.offset + state.segmentOffset);
      offset += length;
      state.segmentOffset += length;
      if (state.segmentOffset === segment.length) {
        state.segment += 1;
        state.segmentOffset = 0;
      }
    }
  }

  #skip(bytes: number): void {
    this.#state = bytes === 0 ? { kind: "header" } : { kind: "skip", remaining: bytes };
  }
}

/** Bytes of zeros after `size` bytes of content, up to the next block. */
export function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}
