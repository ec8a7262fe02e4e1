import { Duplex } from "node:stream";
import { finished } from "node:stream/promises";

/** What a stream asks of the connection that carries it. */
export interface StreamCarrier {
  /** Sends bytes; `done` is called when the connection can take more. */
  send(stream: MuxStream, chunk: Buffer, done: (error?: Error | null) => void): void;
  /** Says that this side sends no more. */
  sendEnd(stream: MuxStream, done: (error?: Error | null) => void): void;
  /** Says that the stream is given up in both directions. */
  sendReset(stream: MuxStream): void;
  /** The stream has room for more input. */
  wantsInput(stream: MuxStream): void;
  /** The stream holds as much input as it should. */
  isFull(stream: MuxStream): void;
  /** The stream is destroyed; nothing more will come from it. */
  forget(stream: MuxStream): void;
}

/** Bytes of input one stream holds before it stops its connection. */
const inputLimitBytes = 128 * 1024;
/** Bytes of output one stream holds before it says so to its writer. */
const outputLimitBytes = 64 * 1024;

/**
 * One stream of a multiplexed connection: a SPDY stream or a WebSocket channel. Half-closes are `end()` and the `end`
 * event; `destroy()` before both halves are over resets the stream.
 */
export class MuxStream extends Duplex {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #carrier: StreamCarrier;
  #inputEnded = false;
  #outputEnded = false;
  #wasReset = false;
  #discardsInput = false;

  constructor(id: number, headers: ReadonlyMap<string, string>, carrier: StreamCarrier) {
    super({ readableHighWaterMark: inputLimitBytes, writableHighWaterMark: outputLimitBytes });
    this.id = id;
    this.headers = headers;
    this.#carrier = carrier;
    // A reset may arrive when nobody is using the stream; it must never become an uncaught exception.
    this.on("error", () => {});
  }

  /** The peer gave the stream up, or the connection is gone; not set by a `destroy` on this side. */
  get wasReset(): boolean {
    return this.#wasReset;
  }

  /** Input from the connection. What arrives after the end, or after `destroy`, is dropped. */
  receive(chunk: Buffer): void {
    if (this.#inputEnded || this.#discardsInput || this.destroyed) return;
    if (!this.push(chunk)) this.#carrier.isFull(this);
  }

  /** The peer sends no more. */
  receiveEnd(): void {
    if (this.#inputEnded || this.destroyed) return;
    this.#inputEnded = true;
    this.push(null);
  }

  /** Gives the stream up for the peer: nothing is sent for it any more. */
  receiveReset(reason: Error): void {
    if (this.destroyed) return;
    this.#wasReset = true;
    this.destroy(reason);
  }

  /** Throws away all input from now on, so that it cannot stop the connection. */
  discardInput(): void {
    this.#discardsInput = true;
    this.#carrier.wantsInput(this);
    this.resume();
  }

  /** Ends this side; resolves when the connection has taken all output, or when the stream is destroyed. */
  async endOutput(): Promise<void> {
    if (!this.writableEnded) this.end();
    if (this.writableFinished || this.destroyed) return;
    await finished(this, { readable: false }).catch(() => {});
  }

  override _read(): void {
    this.#carrier.wantsInput(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#carrier.send(this, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#outputEnded = true;
    this.#carrier.sendEnd(this, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#wasReset && !(this.#inputEnded && this.#outputEnded)) this.#carrier.sendReset(this);
    this.#carrier.forget(this);
    done(error);
  }
}
