import { closeSync, readSync } from "node:fs";
import net from "node:net";
import { hasErrno } from "#errors/domain-error.ts";
import { pipe } from "#kernel/pipe.ts";

/** Most commands have ended by then and have written no more than a pipe holds, and need no handle of the event loop. */
const readAfterMs = 10;

/** Read into by synchronous calls, one at a time. */
const scratch = Buffer.allocUnsafeSlow(1 << 16);

/** A pipe that collects what a child writes, up to a limit; the rest is read and dropped, so the child never blocks for long. */
export class BoundedPipe implements Disposable {
  /** For the child; closed by `closeWriteEnd` once it was started. */
  readonly writeFd: number;
  readonly #readFd: number;
  readonly #chunks: Buffer[] = [];
  readonly #limitBytes: number;
  #collectedBytes = 0;
  #isWriteOpen = true;
  #isReadOpen = true;
  /** While the child writes: what waits until it is worth it, then what reads. */
  #waiting: NodeJS.Timeout | undefined;
  #socket: net.Socket | undefined;

  constructor(limitBytes: number) {
    const { readFd, writeFd } = pipe({ readsWithoutWaiting: true });
    this.#limitBytes = limitBytes;
    this.writeFd = writeFd;
    this.#readFd = readFd;
  }

  /** Closes this process's own end for writing; what the child writes is read from now on. */
  closeWriteEnd(): void {
    if (!this.#isWriteOpen) return;
    this.#isWriteOpen = false;
    closeSync(this.writeFd);
    if (this.#isReadOpen) this.#waiting = setTimeout(() => this.#readAlong(), readAfterMs);
  }

  [Symbol.dispose](): void {
    this.#closeReadEnd();
    this.closeWriteEnd();
  }

  /**
   * What has been written so far; closes the reading end. Called when the child has ended: a grandchild that keeps the pipe open is not
   * waited for.
   */
  finish(): Buffer {
    try {
      while (this.#isReadable()) {
        const count = readSync(this.#readFd, scratch);
        if (count === 0) break;
        this.#collect(Buffer.from(scratch.subarray(0, count)));
      }
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
    } finally {
      this.#closeReadEnd();
    }
    return Buffer.concat(this.#chunks, this.#collectedBytes);
  }

  #isReadable(): boolean {
    return this.#isReadOpen && this.#socket?.readableEnded !== true && this.#socket?.destroyed !== true;
  }

  #readAlong(): void {
    this.#socket = new net.Socket({ fd: this.#readFd, readable: true, writable: false });
    this.#socket.on("data", (chunk: Buffer) => this.#collect(chunk));
    // A pipe has no errors that its end does not tell.
    this.#socket.on("error", () => {});
  }

  #closeReadEnd(): void {
    if (!this.#isReadOpen) return;
    this.#isReadOpen = false;
    clearTimeout(this.#waiting);
    if (this.#socket === undefined) closeSync(this.#readFd);
    else this.#socket.destroy();
  }

  #collect(chunk: Buffer): void {
    const room = this.#limitBytes - this.#collectedBytes;
    if (room <= 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#chunks.push(kept);
    this.#collectedBytes += kept.length;
  }
}
