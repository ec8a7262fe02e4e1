import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import { fileExists } from "#lib/file-exists.ts";
import type { Logger } from "#observability/logger.ts";
import type { ExitRecord } from "./index.ts";

/** The files, one per container that has ended, that conmon leaves in a directory. */
export class ExitRecords {
  readonly #directory: string;
  readonly #listeners = new Set<(id: string) => void>();
  readonly #watcher: FSWatcher;

  /** The directory is there. Closed by `close`. */
  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    // conmon renames the record in from a temporary name, which begins with a dot.
    this.#watcher = watch(directory, (_event, name) => {
      if (name === null || name.startsWith(".")) return;
      for (const listener of this.#listeners) listener(name);
    });
    this.#watcher.on("error", (error) => logger.error(`watching ${directory} for ended containers failed`, { error }));
  }

  /** `Monitor.exitRecord`. */
  async read(id: string, bundle: string): Promise<ExitRecord | undefined> {
    const file = this.#file(id);
    try {
      const [text, { ctimeNs }] = await Promise.all([readFile(file, "utf8"), stat(file, { bigint: true })]);
      const exitCode = Number.parseInt(text, 10);
      if (Number.isNaN(exitCode)) return undefined;
      const oomKilled = await fileExists(path.join(bundle, "oom"));
      return { exitCode, finishedAtNs: String(ctimeNs), oomKilled };
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** `Monitor.onExit`. */
  onAppearance(listener: (id: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Idempotent. */
  async remove(id: string): Promise<void> {
    await rm(this.#file(id), { force: true });
  }

  close(): void {
    this.#watcher.close();
  }

  #file(id: string): string {
    return path.join(this.#directory, id);
  }
}
