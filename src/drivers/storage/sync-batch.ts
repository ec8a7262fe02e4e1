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
        this.#running = syncFileSystem(this.#directory.fd);
        return this.#running;
      });
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#directory.close();
  }
}
