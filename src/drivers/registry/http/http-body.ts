import type { IncomingMessage } from "node:http";
import { DomainError } from "#errors/domain-error.ts";
import { ConnectionFailure, abortError, connectionFailure } from "./failure.ts";

/** Reading this much costs less than a new connection. */
const drainLimitBytes = 64 * 1024;
/** As much is read ahead: a connection that is stopped and started for each piece costs more than the bytes. */
const readAheadBytes = 512 * 1024;

interface BodySettings {
  /** Method and URL, for messages. */
  request: string;
  stallTimeoutMs: number;
  signal: AbortSignal;
}

/** The body of an answer. A connection that is silent for longer than the stall time-out while being read is broken. */
export class HttpBody {
  readonly #message: IncomingMessage;
  readonly #settings: BodySettings;
  readonly #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(message: IncomingMessage, settings: BodySettings) {
    this.#message = message;
    this.#settings = settings;
    message.on("data", (piece: Uint8Array) => this.#hold(piece));
    for (const event of ["end", "close"]) message.on(event, () => this.#wake());
    // Kept for the next read; without a listener a connection that breaks between reads would end the process.
    message.on("error", (error) => {
      this.#failure ??= error;
      this.#wake();
    });
  }

  /**
   * The next bytes, undefined at the end.
   * @throws ConnectionFailure when the connection breaks or stalls; DomainError when the request's signal fires
   */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#settings.signal.aborted) throw abortError(this.#settings.signal, this.#settings.request);
      if (this.#failure !== undefined) throw connectionFailure(this.#settings.request, this.#failure);
      const piece = this.#next();
      if (piece !== undefined) return piece;
      if (this.#message.readableEnded) return undefined;
      if (this.#message.destroyed)
        throw new ConnectionFailure(`${this.#settings.request}: the connection was closed early`, { transient: true });
      await this.#wait();
    }
  }

  /** All of the body. @throws DomainError invalid-argument naming `what` when it has more than `limitBytes` */
  async bytes(limitBytes: number, what: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > limitBytes) {
        this.discard();
        throw new DomainError("invalid-argument", `${what} has more than ${limitBytes} bytes`, {
          facts: { limitBytes, reason: "UNKNOWN" },
        });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Reads on to the end of what is short, so that the connection can be used again; else closes it. */
  async drain(): Promise<void> {
    try {
      await this.bytes(drainLimitBytes, "the answer");
    } catch {
      // The answer was not wanted, so how it ended does not matter either.
      this.discard();
    }
  }

  /** Closes the connection without reading on. */
  discard(): void {
    this.#message.destroy();
  }

  #hold(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#heldBytes += piece.byteLength;
    if (this.#heldBytes >= readAheadBytes) this.#message.pause();
    this.#wake();
  }

  #next(): Uint8Array | undefined {
    const piece = this.#pieces.shift();
    this.#heldBytes -= piece?.byteLength ?? 0;
    if (this.#heldBytes === 0 && this.#message.isPaused()) this.#message.resume();
    return piece;
  }

  async #wait(): Promise<void> {
    const { request, stallTimeoutMs } = this.#settings;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(() => {
      this.#failure ??= new ConnectionFailure(`${request}: the connection stalled, no bytes for ${stallTimeoutMs} ms`, {
        reason: "CONNECTION_TIMEOUT",
        transient: true,
      });
      this.#message.destroy();
    }, stallTimeoutMs);
    await promise.finally(() => clearTimeout(timer));
  }
}
