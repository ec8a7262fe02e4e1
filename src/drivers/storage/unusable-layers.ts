import { rename } from "node:fs/promises";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { ChainId } from "./index.ts";
import type { Layout } from "./layout.ts";
import type { TreeJobs } from "./tree-jobs.ts";

/**
 * Directories among the layers that no image can use. What containers may have below their roots stays until they are gone. Calls for
 * one chain id must not overlap.
 */
export class UnusableLayers {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #trees: TreeJobs;
  readonly #inContainers: (chainId: ChainId) => boolean;
  /** Those that stay for containers. */
  readonly #kept = new Map<string, ChainId>();

  constructor(parts: { layout: Layout; logger: Logger; trees: TreeJobs; inContainers: (chainId: ChainId) => boolean }) {
    this.#layout = parts.layout;
    this.#logger = parts.logger;
    this.#trees = parts.trees;
    this.#inContainers = parts.inContainers;
  }

  /** Keeps or discards a directory that could not be loaded because of `error`; `chainId` is what its name says. */
  async found(directory: string, chainId: ChainId | undefined, error: unknown): Promise<void> {
    if (isUnreadable(error)) {
      this.#logger.error(`layer ${directory} cannot be read and is left alone: ${messageOf(error)}`);
    } else if (chainId !== undefined && this.#inContainers(chainId)) {
      this.#logger.warn(`layer ${directory} cannot be used and stays for containers: ${messageOf(error)}`);
      this.#kept.set(directory, chainId);
    } else {
      this.#logger.warn(`layer ${directory} is incomplete and is removed: ${messageOf(error)}`);
      await this.#trees.discard(directory, this.#layout.staging);
    }
  }

  /** Takes what is no usable layer out of a layer's place; containers that use it go on doing so. */
  async makeRoom(chainId: ChainId): Promise<void> {
    const place = this.#layout.layer(chainId);
    if (this.#inContainers(chainId)) {
      const aside = this.#layout.replacedLayer(chainId);
      await rename(place, aside);
      this.#kept.set(aside, chainId);
    } else await this.#trees.discard(place, this.#layout.staging);
    this.#kept.delete(place);
  }

  /** Chain ids of those that stay and that no container uses any more. */
  unused(): ChainId[] {
    return [...new Set(this.#kept.values())].filter((chainId) => !this.#inContainers(chainId));
  }

  /** Discards all of one chain id that stay. */
  async discard(chainId: ChainId): Promise<void> {
    for (const [directory, one] of this.#kept) {
      if (one !== chainId) continue;
      await this.#trees.discard(directory, this.#layout.staging);
      this.#kept.delete(directory);
    }
  }
}

/**
 * What the disk does not give just now may be sound. What a later berth has written is not kept for it: the record of its image has been
 * set aside, so the later one would collect it, and if none comes it would take room for ever.
 */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && "code" in error && !hasErrno(error, "ENOENT", "ENOTDIR");
}
