import { mkdir } from "node:fs/promises";
import { hasErrno } from "#errors/domain-error.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { removeIfEmpty } from "./group-files.ts";
import { groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";

/** The empty groups of pods without a pause process, by path: `Cgroups.makePodGroup` and `Cgroups.removePodGroup`. */
export class PodGroups {
  readonly #hierarchy: Hierarchy;
  readonly #changing = new KeyedMutex<string>();

  constructor(hierarchy: Hierarchy) {
    this.#hierarchy = hierarchy;
  }

  async make(group: string): Promise<void> {
    await this.#alone(group, makeDirectory);
  }

  async remove(group: string): Promise<void> {
    await this.#alone(group, removeIfEmpty);
  }

  /** On version 1 one controller's directory is enough to be noticed. */
  async #alone(group: string, change: (directory: string) => Promise<unknown>): Promise<void> {
    const directory = groupDirectory(this.#hierarchy, "memory", group);
    if (directory !== undefined) await this.#changing.run(directory, () => change(directory));
  }
}

/** Only itself: where its parent is gone, so is what it would be for. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}
