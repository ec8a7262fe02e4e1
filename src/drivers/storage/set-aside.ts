import { lstat, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { Layout } from "./layout.ts";

/** For a look at what has happened lately; a store that is damaged all over must not fill the disk with it. */
export const mostKept = 100;
export const mostKeptBytes = 4 * 1024 * 1024;

/** Moves what could not be used to `corrupt/`, where the last of it are kept. */
export class SetAside {
  readonly #layout: Layout;
  readonly #logger: Logger;

  constructor(layout: Layout, logger: Logger) {
    this.#layout = layout;
    this.#logger = logger;
  }

  /** Where a file goes; it has not moved yet. Names begin with the time, so they sort by it. */
  placeFor(file: string): string {
    return `${this.#layout.fresh(this.#layout.corrupt)}-${path.basename(file)}`;
  }

  async move(file: string, place: string): Promise<void> {
    await rename(file, place);
  }

  /** Removes all but the newest, as many and as large as are kept. A failure is logged: nothing depends on it. */
  async tidy(): Promise<void> {
    try {
      const names = (await readdir(this.#layout.corrupt)).toSorted().reverse();
      let bytes = 0;
      for (const [index, name] of names.entries()) {
        const place = path.join(this.#layout.corrupt, name);
        bytes += (await lstat(place)).size;
        if (index >= mostKept || bytes > mostKeptBytes) await rm(place, { recursive: true, force: true });
      }
    } catch (error) {
      this.#logger.warn(`what was set aside in ${this.#layout.corrupt} is not tidied: ${messageOf(error)}`);
    }
  }
}
