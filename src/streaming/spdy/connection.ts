import type { Duplex } from "node:stream";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { IdleTimer } from "../idle-timer.ts";
import { InboundGate } from "../inbound-gate.ts";
import { MuxStream, type StreamCarrier } from "../mux-stream.ts";
import { type ControlFrame, type DataPiece, FrameParser } from "./frame-parser.ts";
import {
  controlFrame,
  ControlType,
  dataFrameHeader,
  flagFin,
  flagUnidirectional,
  GoAwayStatus,
  maxDataLength,
  maxStreamId,
  ResetStatus,
  SpdyProtocolError,
  words,
} from "./frames.ts";
import { emptyHeaderBlock, HeaderDecompressor } from "./header-block.ts";
import { Outbox } from "../outbox.ts";

export interface SpdyHandler {
  /** Why a stream with these headers is not wanted, or undefined to accept it. */
  refuse(headers: ReadonlyMap<string, string>, streamId: number): string | undefined;
  /** An accepted stream; its reply has been sent. */
  onStream(stream: MuxStream): void;
}

/** Streams that one connection may have open at once. */
const maxStreams = 1024;
/** How long the peer may take to close after our last frame, and then after our end of the TCP connection. */
const lingerMs = 10_000;
/** Answers to PINGs and refusals that may pile up for a client that does not read them. */
const maxUnreadBytes = 8 * 1024 * 1024;

/**
 * The server's end of a SPDY/3.1 connection. Only clients open streams. Windows are neither kept nor announced: the Go
 * library on the other side (moby/spdystream) ignores WINDOW_UPDATE and SETTINGS and sends none, so a window would run
 * dry; TCP holds back the peer instead.
 */
export class SpdyConnection implements StreamCarrier {
  readonly #transport: Duplex;
  readonly #handler: SpdyHandler;
  readonly #parser = new FrameParser();
  readonly #decompressor = new HeaderDecompressor();
  readonly #streams = new Map<number, MuxStream>();
  readonly #outbox: Outbox;
  readonly #gate: InboundGate;
  readonly #idle: IdleTimer;
  readonly #gone = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #lastStreamId = 0;
  #hasReplied = false;
  #goingAway = false;
  #isParsing = false;

  constructor(transport: Duplex, handler: SpdyHandler, idleTimeoutMs: number) {
    this.#transport = transport;
    this.#handler = handler;
    this.#outbox = new Outbox(transport);
    this.#gate = new InboundGate(
      () => transport.pause(),
      () => transport.resume(),
    );
    this.#idle = new IdleTimer(idleTimeoutMs, () =>
      this.destroy(new DomainError("deadline-exceeded", `no traffic for ${idleTimeoutMs} ms`)),
    );
    transport.on("error", () => {});
    transport.on("close", () => this.#onTransportClosed());
    transport.on("end", () => transport.destroy());
    transport.on("data", (chunk: Buffer) => this.#onBytes(chunk));
  }

  /** Aborts, with the reason, when the connection is gone. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves when the transport is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Ends the connection in order: no more input is taken, every stream is ended, and once the peer has been sent
   * everything it is told to go away. The TCP connection is left for the peer to close first, for a while, because
   * closing it while input is still arriving would make the kernel drop what the peer has not read yet.
   */
  async finish(): Promise<void> {
    this.#gate.openForGood();
    const streams = [...this.#streams.values()];
    for (const stream of streams) stream.discardInput();
    await Promise.all(streams.map((stream) => stream.endOutput()));
    this.#goAway(GoAwayStatus.ok);
    const end = setTimeout(() => this.#transport.end(), lingerMs);
    const destroy = setTimeout(() => this.#transport.destroy(), 2 * lingerMs);
    await this.closed;
    clearTimeout(end);
    clearTimeout(destroy);
  }

  /** Ends the connection at once; `reason` becomes the reason of `signal`. */
  destroy(reason: Error): void {
    if (this.#gone.signal.aborted) return;
    this.#goAway(GoAwayStatus.ok);
    this.#tearDown(reason);
    this.#transport.destroy();
  }

  send(stream: MuxStream, chunk: Buffer, done: (error?: Error | null) => void): void {
    this.#idle.touch();
    const bytes = chunk.subarray(0, maxDataLength);
    const rest = chunk.subarray(bytes.length);
    const next = rest.length === 0 ? done : () => this.send(stream, rest, done);
    this.#outbox.write([dataFrameHeader(stream.id, bytes.length, false), bytes], next);
  }

  sendEnd(stream: MuxStream, done: (error?: Error | null) => void): void {
    this.#outbox.write([dataFrameHeader(stream.id, 0, true)], done);
  }

  sendReset(stream: MuxStream): void {
    this.#reset(stream.id, ResetStatus.cancel);
  }

  wantsInput(stream: MuxStream): void {
    this.#gate.open(stream);
  }

  isFull(stream: MuxStream): void {
    this.#gate.close(stream);
  }

  forget(stream: MuxStream): void {
    this.#streams.delete(stream.id);
    this.#gate.open(stream);
  }

  #onBytes(chunk: Buffer): void {
    this.#idle.touch();
    this.#parser.feed(chunk);
    if (!this.#isParsing) void this.#parse();
  }

  /** Handles every complete frame; a header block takes a moment to decompress, and no more is read meanwhile. */
  async #parse(): Promise<void> {
    this.#isParsing = true;
    try {
      for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) {
        if (this.#gone.signal.aborted) return;
        if (frame.kind === "data") this.#onData(frame);
        else {
          const pending = this.#onControl(frame);
          if (pending !== undefined) await this.#whilePaused(pending);
        }
      }
    } catch (error) {
      if (this.#gone.signal.aborted) return;
      this.#goAway(error instanceof SpdyProtocolError ? GoAwayStatus.protocolError : GoAwayStatus.internalError);
      this.#tearDown(new DomainError("cancelled", `SPDY connection failed: ${messageOf(error)}`, { cause: error }));
      this.#transport.end(() => this.#transport.destroy());
    } finally {
      this.#isParsing = false;
    }
  }

  async #whilePaused(work: Promise<void>): Promise<void> {
    this.#gate.close(this);
    try {
      await work;
    } finally {
      this.#gate.open(this);
    }
  }

  /** Data for a stream that is unknown or already gone is dropped, as the Go library does. */
  #onData({ streamId, bytes, fin }: DataPiece): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (bytes.length > 0) stream.receive(bytes);
    if (fin) stream.receiveEnd();
  }

  #onControl(frame: ControlFrame): Promise<void> | undefined {
    switch (frame.type) {
      case ControlType.synStream:
        return this.#onSynStream(frame);
      case ControlType.headers:
      case ControlType.synReply:
        return this.#onHeaders(frame);
      case ControlType.rstStream:
        return this.#onRstStream(frame);
      case ControlType.ping:
        return this.#onPing(frame);
      case ControlType.goAway:
        this.#goingAway = true;
        return undefined;
      default:
        // SETTINGS and WINDOW_UPDATE mean nothing here; SPDY/3, 2.2.1: unknown types are ignored.
        return undefined;
    }
  }

  async #onSynStream({ flags, payload }: ControlFrame): Promise<void> {
    if (payload.length < 10) throw new SpdyProtocolError("SYN_STREAM of less than 10 bytes");
    const id = payload.readUInt32BE(0) & maxStreamId;
    // Decompressed even for a stream that is refused: all blocks share one compression state.
    const headers = await this.#decompressor.read(payload.subarray(10));
    if (this.#goingAway || this.#gone.signal.aborted) return;
    if (id % 2 === 0 || id <= this.#lastStreamId) return this.#reset(id, ResetStatus.protocolError);
    this.#lastStreamId = id;
    if (this.#streams.size >= maxStreams || this.#handler.refuse(headers, id) !== undefined)
      return this.#reset(id, ResetStatus.refusedStream);
    this.#open(new MuxStream(id, headers, this), flags);
  }

  #open(stream: MuxStream, flags: number): void {
    this.#streams.set(stream.id, stream);
    const block = emptyHeaderBlock(!this.#hasReplied);
    this.#hasReplied = true;
    this.#control(controlFrame(ControlType.synReply, 0, words(stream.id), block));
    if ((flags & flagUnidirectional) !== 0) stream.end();
    if ((flags & flagFin) !== 0) stream.receiveEnd();
    this.#handler.onStream(stream);
  }

  async #onHeaders({ flags, payload }: ControlFrame): Promise<void> {
    if (payload.length < 4) throw new SpdyProtocolError("HEADERS of less than 4 bytes");
    await this.#decompressor.read(payload.subarray(4));
    if ((flags & flagFin) !== 0) this.#streams.get(payload.readUInt32BE(0) & maxStreamId)?.receiveEnd();
  }

  #onRstStream({ payload }: ControlFrame): undefined {
    if (payload.length !== 8) throw new SpdyProtocolError(`RST_STREAM of ${payload.length} bytes`);
    const id = payload.readUInt32BE(0) & maxStreamId;
    this.#streams.get(id)?.receiveReset(new DomainError("cancelled", `client reset stream ${id}`));
  }

  /** SPDY/3, 2.6.5: odd ids are the client's and are sent back; even ones would answer ours, and we send none. */
  #onPing({ payload }: ControlFrame): undefined {
    if (payload.length !== 4) throw new SpdyProtocolError(`PING of ${payload.length} bytes`);
    if (payload.readUInt32BE(0) % 2 === 1) this.#control(controlFrame(ControlType.ping, 0, payload));
  }

  #reset(streamId: number, status: number): void {
    this.#control(controlFrame(ControlType.rstStream, 0, words(streamId, status)));
  }

  #goAway(status: number): void {
    this.#goingAway = true;
    this.#control(controlFrame(ControlType.goAway, 0, words(this.#lastStreamId, status)));
  }

  #control(frame: Buffer): void {
    this.#idle.touch();
    this.#outbox.write([frame]);
    if (this.#transport.writableLength > maxUnreadBytes)
      this.#transport.destroy(new SpdyProtocolError("client does not read the answers to its control frames"));
  }

  #onTransportClosed(): void {
    this.#tearDown(new DomainError("cancelled", "client closed the connection"));
    this.#closed.resolve();
  }

  #tearDown(reason: Error): void {
    this.#idle.stop();
    this.#decompressor.close();
    this.#gate.openForGood();
    this.#outbox.close(reason);
    this.#gone.abort(reason);
    for (const stream of this.#streams.values()) stream.receiveReset(reason);
  }
}
