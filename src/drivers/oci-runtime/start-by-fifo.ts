import { closeSync, constants, existsSync, openSync, readSync, realpathSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import { holdsFile } from "#kernel/holds-file.ts";
import { isAlive } from "#kernel/process-identity.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import type { CreatedContainer } from "./index.ts";

/** File of the bundle that is there once a start has begun. */
const startedFile = "starting";
const readLimitMs = 120_000;
/** Where nothing tells whether a process still waits: it goes on within less than a millisecond, unless it gets no time. */
const unknownLimitMs = 1000;
const lookEveryMs = 100;

/**
 * What `runc start` does, without its process, which costs six times as much: the init process waits until somebody opens the fifo of its state
 * directory, writes one byte there and becomes the container's program. What waits, runc calls created while the fifo is there.
 */
export class FifoStart {
  readonly #root: string;
  readonly #resuming = new Map<string, Promise<boolean>>();

  /** `root` is runc's state directory. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * False when the program has to do it: there is a hook that it has to run, no such fifo, or no process that waits.
   * @throws DomainError deadline-exceeded when the process does not go on
   */
  async start(container: CreatedContainer): Promise<boolean> {
    const { bundle } = container;
    // Of two readers one would get the byte.
    if (await this.#resuming.get(container.id)?.catch(() => false)) return true;
    if (await mayHavePoststartHook(bundle)) return false;
    // Whoever is killed between the two steps below has left a process that runs with a fifo that says it waits.
    await smallFilesIn(bundle).write(path.join(bundle, startedFile), "", 0o600);
    const fd = this.#open(container.id);
    if (fd === undefined) return false;
    const outcome = await byteFrom(fd, container);
    if (outcome === "ended") return false;
    if (outcome === "late") throw doesNotGoOn(container);
    await this.#removeFifo(container.id);
    return true;
  }

  /**
   * Brings a start to its end that a daemon had begun and was killed in. Nothing happens where none had begun.
   * @throws DomainError deadline-exceeded when the process does not go on; it still waits then, and the fifo says so
   */
  async resume(container: CreatedContainer): Promise<void> {
    const { id, bundle } = container;
    if (!existsSync(path.join(bundle, startedFile))) return;
    const fd = this.#open(id);
    if (fd === undefined) return;
    const resuming = this.#resume(container, fd);
    this.#resuming.set(id, resuming);
    try {
      await resuming;
    } finally {
      this.#resuming.delete(id);
    }
  }

  /** False when the process has ended. */
  async #resume(container: CreatedContainer, fd: number): Promise<boolean> {
    const { id, process } = container;
    // One that gets no time may be anywhere before its byte: without a reader it would wait for ever, or fail. From one that has gone on before
    // there comes no byte: that was lost with its reader.
    const waits = (): boolean | undefined => holdsFile(process.pid, this.#fifo(id));
    const outcome = await byteFrom(fd, container, waits);
    if (outcome === "late") throw doesNotGoOn(container);
    await this.#removeFifo(id);
    return outcome !== "ended";
  }

  /** Opening it is what wakes the process; it does not wait for that. */
  #open(id: string): number | undefined {
    try {
      return openSync(this.#fifo(id), constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "EACCES", "EPERM")) return undefined;
      throw error;
    }
  }

  async #removeFifo(id: string): Promise<void> {
    // Not asked of its own directory: that is gone when the pod is being stopped.
    await smallFilesIn(this.#root).remove(this.#fifo(id));
  }

  #fifo(id: string): string {
    return path.join(this.#root, id, "exec.fifo");
  }
}

/** Whether the program is runc itself: what wraps it may have its own idea of `start`, and is a script or has another name. */
export function isRunc(program: string): boolean {
  const file = realpathSync(program);
  return path.basename(file) === "runc" && isElf(file);
}

function isElf(file: string): boolean {
  const magic = Buffer.alloc(4);
  const fd = openSync(file, "r");
  try {
    readSync(fd, magic);
    return magic.toString("latin1") === "\x7fELF";
  } finally {
    closeSync(fd);
  }
}

/** Also where the bundle cannot be read. */
async function mayHavePoststartHook(bundle: string): Promise<boolean> {
  try {
    const config = await smallFilesIn(bundle).read(path.join(bundle, "config.json"));
    const { hooks } = JSON.parse(config) as { hooks?: { poststart?: unknown[] } };
    return (hooks?.poststart ?? []).length > 0;
  } catch {
    return true;
  }
}

function doesNotGoOn({ id }: CreatedContainer): DomainError {
  return new DomainError(
    "deadline-exceeded",
    `container ${id}: its process was told to start and did not go on within ${readLimitMs / 1000} s`,
  );
}

type Outcome = "read" | "gone-on" | "ended" | "late";

/**
 * Reads one byte from a fifo and closes it, not before the process has written or ended: it would fail for want of a reader. runc's init has a
 * descriptor of the fifo until it has written; `waits` tells of that, where it may have gone on before.
 */
async function byteFrom(
  fd: number,
  { process }: CreatedContainer,
  waits: () => boolean | undefined = () => true,
): Promise<Outcome> {
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const beganMs = performance.now();
  const look = (): void => {
    try {
      const isWaiting = waits();
      const isUnknownFor = isWaiting === undefined ? performance.now() - beganMs : 0;
      // After whatever it has written: a process that ended at once may be looked at before its byte is read.
      if (!isAlive(process)) setImmediate(resolve, "ended");
      else if (isWaiting === false || isUnknownFor > unknownLimitMs) setImmediate(resolve, "gone-on");
    } catch (error) {
      // It fails if nobody reads: rather look again.
      if (!hasErrno(error, "EMFILE", "ENFILE", "ENOMEM")) reject(error);
    }
  };
  // Not at once: after timers, the event loop reads what has come before it calls immediates.
  const first = setTimeout(look, 0);
  const looks = setInterval(look, lookEveryMs);
  const limit = setTimeout(() => resolve("late"), readLimitMs);
  socket.once("data", () => resolve("read"));
  socket.once("end", () => resolve("ended"));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    clearTimeout(first);
    clearInterval(looks);
    clearTimeout(limit);
    socket.destroy();
  }
}
