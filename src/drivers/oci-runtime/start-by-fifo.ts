import { closeSync, constants, existsSync, openSync, readSync, realpathSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import { isAlive } from "#kernel/process-identity.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import type { CreatedContainer } from "./index.ts";

/** File of the bundle that is there once a start has begun. */
const startedFile = "starting";
const readLimitMs = 120_000;
/** A process that still waits goes on within less than a millisecond. */
const resumeLimitMs = 1000;
const lookEveryMs = 100;

/**
 * What `runc start` does, without its process, which costs six times as much: the init process waits until somebody opens the fifo of its state
 * directory, writes one byte there and becomes the container's program. What waits, runc calls created while the fifo is there.
 */
export class FifoStart {
  readonly #root: string;

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
    if (await mayHavePoststartHook(bundle)) return false;
    // Whoever is killed between the two steps below has left a process that runs with a fifo that says it waits.
    await smallFilesIn(bundle).write(path.join(bundle, startedFile), "", 0o600);
    const fd = this.#open(container.id);
    if (fd === undefined) return false;
    const outcome = await byteFrom(fd, container, readLimitMs);
    if (outcome === "ended") return false;
    if (outcome === "late") {
      throw new DomainError(
        "deadline-exceeded",
        `container ${container.id}: its process was told to start and did not go on within ${readLimitMs / 1000} s`,
      );
    }
    await this.#removeFifo(container.id);
    return true;
  }

  /** Brings a start to its end that a daemon had begun and was killed in. Nothing happens where none had begun. */
  async resume(container: CreatedContainer): Promise<void> {
    if (!existsSync(path.join(container.bundle, startedFile))) return;
    const fd = this.#open(container.id);
    if (fd === undefined) return;
    // Without a byte it has gone on before, and the byte is lost with its reader.
    await byteFrom(fd, container, resumeLimitMs);
    await this.#removeFifo(container.id);
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

/** Reads one byte from a fifo and closes it, not before the process has written or ended: it would fail for want of a reader. */
async function byteFrom(
  fd: number,
  { process }: CreatedContainer,
  limitMs: number,
): Promise<"read" | "ended" | "late"> {
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const { promise, resolve, reject } = Promise.withResolvers<"read" | "ended" | "late">();
  const looks = setInterval(() => {
    try {
      // After whatever it has written: a process that ended at once may be looked at before its byte is read.
      if (!isAlive(process)) setImmediate(resolve, "ended");
    } catch (error) {
      reject(error);
    }
  }, lookEveryMs);
  const limit = setTimeout(() => resolve("late"), limitMs);
  socket.once("data", () => resolve("read"));
  socket.once("end", () => resolve("ended"));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    clearInterval(looks);
    clearTimeout(limit);
    socket.destroy();
  }
}
