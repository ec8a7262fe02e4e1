import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { ChainId } from "./index.ts";
import type { SyncBatch } from "./sync-batch.ts";

/** Of compressed layers: after as many the disk is set to write, so that little is left to wait for when the last layer ends. */
const writeOutBytes = 16 * 1024 * 1024;

/** A layer while its files are written. Disposed of when it is in its place or given up. */
export interface LayerWrite extends Disposable {
  /** Called as the layer is unpacked, with its compressed bytes so far. */
  progress(compressedBytes: number): void;
  /** @throws DomainError data-loss when the disk has failed to write something since the layer began, maybe of it */
  check(chainId: ChainId): void;
}

/**
 * What power loss, or a disk that fails to write, can still take: the layers that are being written, and those in their places that
 * no sync has followed. The kernel reports a failed write once, to whoever syncs next, and forgets the data, so after a failure
 * none of them can be trusted.
 */
export class UnsyncedLayers {
  readonly #disk: Pick<SyncBatch, "sync">;
  readonly #forget: (chainId: ChainId) => void;
  /** The sync that each layer waits for, once it has begun. */
  readonly #inPlace = new Map<ChainId, Promise<void> | undefined>();
  readonly #writes = new Set<{ failure?: unknown }>();
  /** Compressed bytes unpacked since the disk was last set to write. */
  #unwrittenBytes = 0;

  /** `forget` is called for each layer in its place that is lost. */
  constructor(disk: Pick<SyncBatch, "sync">, forget: (chainId: ChainId) => void) {
    this.#disk = disk;
    this.#forget = forget;
  }

  /** Begins to write a layer. */
  begin(): LayerWrite {
    const write: { failure?: unknown } = {};
    let beforeBytes = 0;
    this.#writes.add(write);
    return {
      progress: (compressedBytes) => {
        this.#unwrittenBytes += compressedBytes - beforeBytes;
        beforeBytes = compressedBytes;
        if (this.#unwrittenBytes >= writeOutBytes) this.#writeOut();
      },
      check: (chainId) => {
        if (write.failure !== undefined) throw lostLayers([chainId], write.failure);
      },
      [Symbol.dispose]: () => {
        this.#writes.delete(write);
        // The last layer begins the sync for all.
        if (this.#writes.size === 0) this.#sync();
      },
    };
  }

  /** The layer, or something of it, has been written to its place. */
  add(chainId: ChainId): void {
    this.#inPlace.set(chainId, undefined);
  }

  /** Resolves when the layers survive power loss. @throws DomainError data-loss */
  async synced(chainIds: readonly ChainId[]): Promise<void> {
    this.#sync();
    for (const chainId of chainIds) await this.#inPlace.get(chainId);
  }

  /** Resolves when no sync is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#inPlace.values()].filter((sync) => sync !== undefined));
  }

  #writeOut(): void {
    this.#unwrittenBytes = 0;
    this.#disk.sync().catch((error: unknown) => {
      for (const write of this.#writes) write.failure = error;
      for (const [chainId, sync] of this.#inPlace) if (sync === undefined) this.#lose(chainId);
    });
  }

  /** Begins to sync all layers that wait for it. */
  #sync(): void {
    const waiting = [...this.#inPlace].filter(([, sync]) => sync === undefined).map(([chainId]) => chainId);
    if (waiting.length === 0) return;
    const sync: Promise<void> = this.#disk.sync().then(
      () => {
        // One that was written to since waits for a later sync.
        for (const chainId of waiting) if (this.#inPlace.get(chainId) === sync) this.#inPlace.delete(chainId);
      },
      (error: unknown) => {
        waiting.forEach((chainId) => this.#lose(chainId));
        throw lostLayers(waiting, error);
      },
    );
    sync.catch(() => undefined);
    for (const chainId of waiting) this.#inPlace.set(chainId, sync);
  }

  #lose(chainId: ChainId): void {
    this.#inPlace.delete(chainId);
    this.#forget(chainId);
  }
}

export function lostLayers(chainIds: readonly ChainId[], error: unknown): DomainError {
  const message = `layers ${chainIds.join(", ")} could not be synced to disk: ${messageOf(error)}`;
  return new DomainError("data-loss", message, { cause: error });
}
