import { watch, type FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";

// A file being written causes a burst of events; one look after this long is enough for all of them.
const settleMs = 50;
const retryMs = 10_000;

/** A running watch. */
export interface DirectoryWatch {
  close(): void;
}

/**
 * Calls `onChange` soon after anything in a directory changes, appears or goes, also when the directory itself appears,
 * goes, or is replaced: while it does not exist, its nearest existing ancestor is watched. Resolves once the watch is set.
 * When the system refuses a watch (inotify limits), `onError` is told and it is tried again from time to time.
 */
export async function watchDirectory(
  directory: string,
  onChange: () => void,
  onError: (error: unknown) => void,
): Promise<DirectoryWatch> {
  const watch = new Watch(path.resolve(directory), onChange, onError);
  await watch.follow();
  return watch;
}

class Watch implements DirectoryWatch {
  readonly #directory: string;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #watcher: FSWatcher | undefined;
  /** Identity of the directory being watched: path and inode. */
  #place = "";
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(directory: string, onChange: () => void, onError: (error: unknown) => void) {
    this.#directory = directory;
    this.#onChange = onChange;
    this.#onError = onError;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  /** Moves the watch to the directory, or as near to it as exists. True when it moved. */
  async follow(): Promise<boolean> {
    let moved = false;
    // A place that appears between looking and watching is seen by looking again.
    for (;;) {
      const { directory, place } = await nearestExisting(this.#directory);
      if (this.#closed || place === this.#place) return moved;
      moved = true;
      if (!this.#watch(directory, place)) return moved;
    }
  }

  #watch(directory: string, place: string): boolean {
    this.#watcher?.close();
    this.#place = "";
    try {
      this.#watcher = watch(directory, () => this.#schedule(settleMs));
      this.#watcher.on("error", (error) => this.#fail(error));
      this.#place = place;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    this.#place = "";
    this.#onError(error);
    this.#schedule(retryMs);
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, delayMs);
  }

  async #look(): Promise<void> {
    const moved = await this.follow();
    const isThere = this.#place.startsWith(`${this.#directory}:`);
    if (!this.#closed && (moved || isThere)) this.#onChange();
  }
}

async function nearestExisting(directory: string): Promise<{ directory: string; place: string }> {
  for (let candidate = directory; ; candidate = path.dirname(candidate)) {
    try {
      const status = await stat(candidate);
      if (status.isDirectory()) return { directory: candidate, place: `${candidate}:${status.dev}:${status.ino}` };
    } catch (error) {
      if (candidate === path.dirname(candidate)) throw error;
    }
  }
}
