import { closeSync, readSync } from "node:fs";
import net from "node:net";
import { hasErrno } from "#errors/domain-error.ts";
import { pipe } from "#kernel/pipe.ts";

/** A pipe that collects what a child writes, up to a limit; the rest is read and dropped, so the child never blocks. */
export class BoundedPipe implements Disposable {
  /** For the child; closed by `closeWriteEnd` once it was started. */
  readonly writeFd: number;
  readonly #readFd: number;
  readonly #socket: net.Socket;
  readonly #chunks: Buffer[] = [];
  readonly #limitBytes: number;
  #collectedBytes = 0;
  #writeOpen = true;

  constructor(limitBytes: number) {
    const { readFd, writeFd } = pipe();
    this.#limitBytes = limitBytes;
    this.writeFd = writeFd;
    this.#readFd = readFd;
    this.#socket = new net.Socket({ fd: readFd, readable: true, writable: false });
    this.#socket.on("data", (chunk: Buffer) => this.#collect(chunk));
    // A pipe has no errors that its end does not tell.
    this.#socket.on("error", () => {});
  }

  closeWriteEnd(): void {
    if (!this.#writeOpen) return;
    this.#writeOpen = false;
    closeSync(this.writeFd);
  }

  [Symbol.dispose](): void {
    this.closeWriteEnd();
    this.#socket.destroy();
  }

  /**
   * What has been written so far; closes the reading end. Called when the child has ended: a grandchild that keeps the pipe open is not
   * waited for.
   */
  finish(): Buffer {
    const buffer = Buffer.allocUnsafe(1 << 16);
    try {
      while (!this.#socket.readableEnded && !this.#socket.destroyed) {
        const count = readSync(this.#readFd, buffer);
        if (count === 0) break;
        this.#collect(Buffer.from(buffer.subarray(0, count)));
      }
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
    } finally {
      this.#socket.destroy();
    }
    return Buffer.concat(this.#chunks, this.#collectedBytes);
  }

  #collect(chunk: Buffer): void {
    const room = this.#limitBytes - this.#collectedBytes;
    if (room <= 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#chunks.push(kept);
    this.#collectedBytes += kept.length;
  }
}
