import { closeSync } from "node:fs";
import net from "node:net";
import { BoundedPipe } from "#kernel/bounded-pipe.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { pipe } from "#kernel/pipe.ts";

/** Input and output of a command that is run to its end. */
export interface CommandStdio extends Disposable {
  /** For the child: descriptor there → descriptor here. */
  readonly fds: Readonly<Record<number, number>>;
  /** To be called once the child was started. */
  started(): void;
  /** To be called once the child has ended: what it wrote, at most the limit of each. */
  finish(): { stdout: Buffer; stderr: Buffer };
}

/** By memory files, which cost the event loop nothing while the command runs. */
export function memoryStdio(input: string | Uint8Array, limitBytes: number): CommandStdio {
  using undo = new DisposableStack();
  const stdin = undo.use(memoryFile(input));
  const stdout = undo.use(memoryFile());
  const stderr = undo.use(memoryFile());
  const owned = undo.move();
  return {
    fds: { 0: stdin.fd, 1: stdout.fd, 2: stderr.fd },
    started() {},
    finish: () => ({ stdout: stdout.read(limitBytes), stderr: stderr.read(limitBytes) }),
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/**
 * By pipes: SELinux lets a program that runs in a domain of its own use those of the daemon, but not its memory files, which the
 * program would find replaced by /dev/null.
 */
export function pipedStdio(input: string | Uint8Array, limitBytes: number): CommandStdio {
  using undo = new DisposableStack();
  const stdout = undo.use(new BoundedPipe(limitBytes));
  const stderr = undo.use(new BoundedPipe(limitBytes));
  const stdin = input.length === 0 ? undefined : undo.use(new FedPipe(input));
  const owned = undo.move();
  return {
    fds: { ...(stdin === undefined ? {} : { 0: stdin.readFd }), 1: stdout.writeFd, 2: stderr.writeFd },
    started() {
      stdin?.feed();
      stdout.closeWriteEnd();
      stderr.closeWriteEnd();
    },
    finish: () => ({ stdout: stdout.finish(), stderr: stderr.finish() }),
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/** A pipe that gives a child its input, however long that is. */
class FedPipe implements Disposable {
  /** For the child. */
  readonly readFd: number;
  readonly #socket: net.Socket;
  readonly #input: string | Uint8Array;
  #readOpen = true;

  constructor(input: string | Uint8Array) {
    const { readFd, writeFd } = pipe();
    this.readFd = readFd;
    this.#input = input;
    this.#socket = new net.Socket({ fd: writeFd, readable: false, writable: true });
    // A child that ends before it has read everything says why by its exit code.
    this.#socket.on("error", () => {});
  }

  feed(): void {
    this.#closeReadEnd();
    this.#socket.end(this.#input);
  }

  [Symbol.dispose](): void {
    this.#closeReadEnd();
    this.#socket.destroy();
  }

  #closeReadEnd(): void {
    if (this.#readOpen) closeSync(this.readFd);
    this.#readOpen = false;
  }
}
