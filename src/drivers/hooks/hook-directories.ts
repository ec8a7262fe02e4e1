import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import type { Logger } from "#observability/logger.ts";
import type { OciHooks } from "#spec/oci-runtime.ts";
import { type HookFile, parseHookFile } from "./hook-file.ts";
import type { Hooks, HookSubject } from "./index.ts";

/**
 * The hooks of directories of JSON files, in the order of their file names; a file in a later directory replaces one of the
 * same name. Changes are seen at the next container. A file that cannot be used is logged and left out.
 */
export function hookDirectories(directories: readonly string[], logger: Logger): Hooks {
  const watched = new WatchedDirectories(directories, logger);
  return {
    async of(subject) {
      return hooksFor(await watched.files(), subject);
    },
    close: () => watched.close(),
  };
}

function hooksFor(files: readonly HookFile[], subject: HookSubject): OciHooks | undefined {
  const hooks: OciHooks = {};
  for (const { hook, stages } of files.filter((file) => file.fits(subject)))
    for (const stage of stages) hooks[stage] = [...(hooks[stage] ?? []), hook];
  return Object.keys(hooks).length === 0 ? undefined : hooks;
}

/** What is in the directories, read again after something has changed. */
class WatchedDirectories {
  readonly #directories: readonly string[];
  readonly #logger: Logger;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #reading = new SingleFlight<"files", readonly HookFile[]>();
  #files: readonly HookFile[] | undefined;
  #changes = 0;

  constructor(directories: readonly string[], logger: Logger) {
    this.#directories = directories;
    this.#logger = logger;
  }

  async files(): Promise<readonly HookFile[]> {
    // The kernel tells of changes in what is there, not of directories that come later.
    await Promise.all(this.#directories.map((directory) => this.#watch(directory)));
    return this.#files ?? (await this.#reading.run("files", () => this.#read()));
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #watch(directory: string): Promise<void> {
    if (this.#watchers.has(directory) || !(await isDirectory(directory)) || this.#watchers.has(directory)) return;
    const forget = (): void => {
      watcher.close();
      this.#watchers.delete(directory);
      this.#changed();
    };
    const watcher = watch(directory, { persistent: false }, (event, name) => {
      this.#changed();
      // A directory that is removed reports a rename of itself, and nothing any more.
      if (event === "rename" && name === path.basename(directory)) forget();
    });
    watcher.on("error", (error) => {
      this.#logger.warn(`watching the hooks in ${directory} failed`, { error });
      forget();
    });
    this.#watchers.set(directory, watcher);
    this.#changed();
  }

  #changed(): void {
    this.#changes += 1;
    this.#files = undefined;
  }

  async #read(): Promise<readonly HookFile[]> {
    const changes = this.#changes;
    const byName = new Map<string, string>();
    for (const directory of this.#directories)
      for (const name of await jsonFiles(directory)) byName.set(name, path.join(directory, name));
    const names = [...byName.keys()].toSorted();
    const read = await Promise.all(names.map((name) => this.#readFile(byName.get(name) ?? name)));
    const files = read.filter((file) => file !== undefined);
    // What has changed meanwhile is read again the next time.
    if (this.#changes === changes) this.#files = files;
    return files;
  }

  async #readFile(file: string): Promise<HookFile | undefined> {
    try {
      return parseHookFile(await readFile(file, "utf8"));
    } catch (error) {
      this.#logger.error(`the hook ${file} cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  }
}

async function jsonFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".json"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function isDirectory(directory: string): Promise<boolean> {
  return stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
