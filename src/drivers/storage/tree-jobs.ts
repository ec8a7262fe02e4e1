import { readdir, rename } from "node:fs/promises";
import path from "node:path";
import { hasErrno, kindOf, messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { ApplyChangesRequest } from "./changes/apply-changes.ts";
import type { ListChangesRequest, ListedChanges } from "./changes/list-changes.ts";
import type { Usage } from "./index.ts";
import type { Layout } from "./layout.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

/** Removes and measures directory trees in a worker of its own, so that they never wait for an unpacking layer. */
export class TreeJobs {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #pool: WorkerPool;

  constructor(layout: Layout, logger: Logger, idleMs: number) {
    this.#layout = layout;
    this.#logger = logger;
    this.#pool = new WorkerPool({ name: "storage trees", size: 1, idleMs });
  }

  measure(directory: string): Promise<Usage> {
    return this.#pool.start("measure-tree", { path: directory }).done;
  }

  listChanges(request: ListChangesRequest): Promise<ListedChanges> {
    return this.#pool.start("list-changes", request).done;
  }

  async applyChanges(request: ApplyChangesRequest): Promise<void> {
    await this.#pool.start("apply-changes", request).done;
  }

  /**
   * Takes a directory out of its place at once and deletes it later; `wastebasket` is the sweepable directory on the same file
   * system. Missing is fine. A deletion that fails is logged; the next start tries again.
   */
  async discard(directory: string, wastebasket: string): Promise<void> {
    const discarded = this.#layout.fresh(wastebasket);
    try {
      await rename(directory, discarded);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return;
      throw error;
    }
    this.removeLater(discarded);
  }

  /** Deletes in the background what already lies in a wastebasket. */
  removeLater(discarded: string): void {
    this.remove(discarded).catch((error: unknown) => {
      // Shutting down.
      if (kindOf(error) === "aborted") return;
      this.#logger.warn(`${discarded} could not be removed: ${messageOf(error)}`);
    });
  }

  /** Deletes a tree; resolves when it is gone. */
  async remove(directory: string): Promise<void> {
    await this.#pool.start("remove-tree", { path: directory }).done;
  }

  /** Deletes in the background all that an earlier run left in a wastebasket. */
  async sweep(wastebasket: string): Promise<number> {
    const names = await readdir(wastebasket);
    for (const name of names) this.removeLater(path.join(wastebasket, name));
    return names.length;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
