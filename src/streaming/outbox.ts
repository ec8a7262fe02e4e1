import type { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * Writes to a transport that many streams share. Each writer is called back when the transport can take more, at most
 * one write per writer waits meanwhile, so what is held in memory is bounded by the number of streams.
 */
export class Outbox {
  readonly #transport: Duplex;
  #waiting: Done[] = [];
  #closedBy: Error | undefined;

  constructor(transport: Duplex) {
    this.#transport = transport;
    transport.on("drain", () => this.#release());
  }

  /** Writes `parts` as one piece. Without `done` it is a control message that nobody waits for. */
  write(parts: readonly Buffer[], done?: Done): void {
    if (this.#closedBy !== undefined || !this.#transport.writable) {
      done?.(this.#closedBy ?? new Error("connection closed"));
      return;
    }
    this.#transport.cork();
    let hasRoom = true;
    for (const part of parts) hasRoom = this.#transport.write(part);
    this.#transport.uncork();
    if (done === undefined) return;
    if (hasRoom) done();
    else this.#waiting.push(done);
  }

  /** Fails everybody who waits, now and later. */
  close(reason: Error): void {
    this.#closedBy ??= reason;
    this.#release(reason);
  }

  #release(error?: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(error ?? null);
  }
}
