import { open } from "node:fs/promises";
import { syncFileSystem } from "#kernel/file-metadata.ts";

/** The disk that a `SyncBatch` syncs. */
export interface Disk {
  /** Resolves when all that was written before the call is on disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes what has been written to one file system survive power loss. One syncfs(2) runs at a time, and everything that asked
 * while it ran shares the next one: eight layers that end together cost two.
 */
export class SyncBatch {
  readonly #disk: Disk;
  readonly #failed: ((error: unknown) => void)[] = [];
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** Syncs that have begun, and the last of them that has succeeded. */
  #begun = 0;
  #succeeded = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Undone by `close`. */
  static async open(directory: string): Promise<SyncBatch> {
    const handle = await open(directory, "r");
    return new SyncBatch({ sync: () => syncFileSystem(handle.fd), close: () => handle.close() });
  }

  /**
   * `failed` is called when a sync fails, before whoever waits for it hears so. The kernel reports a failed write once, to whoever
   * syncs next, and forgets the data: all that was written since the last good sync may be lost, whatever later syncs say.
   */
  onFailure(failed: (error: unknown) => void): void {
    this.#failed.push(failed);
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

  /**
   * Resolves when a sync that covers what `mark` stands for has succeeded; begins one only when none has begun since. Says nothing about
   * failures of syncs before that one, see `onFailure`.
   * @throws SystemError
   */
  async reached(mark: number): Promise<void> {
    if (this.#succeeded >= mark) return;
    await (this.#begun >= mark ? this.#running : this.sync());
  }

  async #syncNow(): Promise<void> {
    this.#begun += 1;
    const number = this.#begun;
    try {
      await this.#disk.sync();
    } catch (error) {
      for (const failed of this.#failed) failed(error);
      throw error;
    }
    this.#succeeded = number;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#disk.close();
  }
}
