import { type FileHandle, open } from "node:fs/promises";
import { syncFileSystem } from "#kernel/file-metadata.ts";

/**
 * Makes what has been written to one file system survive power loss. One syncfs(2) runs at a time, and everything that asked
 * while it ran shares the next one: eight layers that end together cost two.
 */
export class SyncBatch {
  readonly #directory: FileHandle;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** Syncs that have begun, and the last of them that has succeeded. */
  #begun = 0;
  #succeeded = 0;

  private constructor(directory: FileHandle) {
    this.#directory = directory;
  }

  /** Undone by `close`. */
  static async open(directory: string): Promise<SyncBatch> {
    return new SyncBatch(await open(directory, "r"));
  }

  /** Resolves when all that was written before the call is on disk. @throws SystemError */
  sync(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#running = this.#syncNow();
        return this.#running;
      });
    return this.#next;
  }

  /** Stands for all that has been written by now, for `reached`. */
  mark(): number {
    return this.#begun + 1;
  }

  /** Resolves when what `mark` stands for is on disk; begins a sync only when none has begun since. @throws SystemError */
  async reached(mark: number): Promise<void> {
    if (this.#succeeded >= mark) return;
    await (this.#begun >= mark ? this.#running : this.sync());
  }

  async #syncNow(): Promise<void> {
    this.#begun += 1;
    const number = this.#begun;
    await syncFileSystem(this.#directory.fd);
    this.#succeeded = number;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#directory.close();
  }
}
