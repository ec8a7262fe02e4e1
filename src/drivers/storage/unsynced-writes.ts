import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { SyncBatch } from "./sync-batch.ts";

/** Of compressed bytes: after as many the disk is set to write, so that little is left to wait for at the end. */
const writeOutBytes = 16 * 1024 * 1024;

/** Files while they are written. Disposed of when they are in their place or given up. */
export interface Write extends Disposable {
  /** Called as a layer is unpacked, with its compressed bytes so far. */
  progress(compressedBytes: number): void;
  /**
   * All has been written and is in its place. May be called for several keys.
   * @throws DomainError data-loss when the disk has failed to write something since the write began, maybe of it
   */
  inPlace(key: Digest): void;
}

/** In its place, and no sync has followed. */
interface Unsynced {
  /** For `SyncBatch.reached`. */
  mark: number;
  /** The sync that it waits for, once somebody has asked. */
  sync: Promise<void> | undefined;
}

/**
 * What power loss, or a disk that fails to write, can still take: layers or blobs that are being written, and those in their places that
 * no sync has followed. When a sync fails, none of them can be trusted (see `SyncBatch.onFailure`).
 */
export class UnsyncedWrites {
  readonly #disk: SyncBatch;
  readonly #noun: string;
  readonly #syncsEarly: boolean;
  readonly #inPlace = new Map<Digest, Unsynced>();
  readonly #writes = new Set<{ failure?: { error: unknown } }>();
  #lastFailure: { error: unknown } | undefined;
  /** Compressed bytes unpacked since the disk was last set to write. */
  #unwrittenBytes = 0;

  /**
   * `noun` names a key in messages. `syncsEarly` begins a sync whenever no write is under way, else the first to wait does. `forget` is
   * called for each key in its place that is lost.
   */
  constructor(disk: SyncBatch, options: { noun: string; syncsEarly: boolean; forget: (key: Digest) => void }) {
    this.#disk = disk;
    this.#noun = options.noun;
    this.#syncsEarly = options.syncsEarly;
    disk.onFailure((error) => {
      const failure = { error };
      this.#lastFailure = failure;
      for (const write of this.#writes) write.failure = failure;
      const lost = [...this.#inPlace.keys()];
      this.#inPlace.clear();
      for (const key of lost) options.forget(key);
    });
  }

  /** Begins to write. */
  begin(): Write {
    const write: { failure?: { error: unknown } } = {};
    let beforeBytes = 0;
    this.#writes.add(write);
    return {
      progress: (compressedBytes) => {
        this.#unwrittenBytes += compressedBytes - beforeBytes;
        beforeBytes = compressedBytes;
        if (this.#unwrittenBytes >= writeOutBytes) this.#writeOut();
      },
      inPlace: (key) => {
        if (write.failure !== undefined) throw lostWrites(this.#noun, [key], write.failure.error);
        this.#inPlace.set(key, { mark: this.#disk.mark(), sync: undefined });
      },
      [Symbol.dispose]: () => {
        this.#writes.delete(write);
        // The last one begins the sync for all.
        if (this.#writes.size === 0 && this.#syncsEarly) this.#sync();
      },
    };
  }

  /** Resolves when what is in its place now survives power loss, for the given keys or for all. @throws DomainError data-loss */
  async synced(keys: Iterable<Digest> = this.#inPlace.keys()): Promise<void> {
    const wanted = [...keys];
    this.#sync();
    const syncs = wanted.map((key) => this.#inPlace.get(key)?.sync);
    await Promise.all(syncs.filter((sync) => sync !== undefined));
  }

  /** Resolves when no sync is under way. */
  async settled(): Promise<void> {
    const syncs = Array.from(this.#inPlace.values(), ({ sync }) => sync);
    await Promise.allSettled(syncs.filter((sync) => sync !== undefined));
  }

  #writeOut(): void {
    this.#unwrittenBytes = 0;
    // Whom a failure concerns has been told by then.
    this.#disk.sync().catch(() => undefined);
  }

  /** Begins to sync all that waits for it. */
  #sync(): void {
    const waiting = [...this.#inPlace].filter(([, { sync }]) => sync === undefined);
    if (waiting.length === 0) return;
    const sync = this.#reached(
      waiting.map(([key]) => key),
      Math.max(...waiting.map(([, { mark }]) => mark)),
    ).then(() => {
      // One that was written to since waits for a later sync.
      for (const [key, unsynced] of waiting) if (this.#inPlace.get(key) === unsynced) this.#inPlace.delete(key);
    });
    sync.catch(() => undefined);
    for (const [, unsynced] of waiting) unsynced.sync = sync;
  }

  async #reached(keys: readonly Digest[], mark: number): Promise<void> {
    const before = this.#lastFailure;
    try {
      await this.#disk.reached(mark);
    } catch (error) {
      throw lostWrites(this.#noun, keys, error);
    }
    // A sync that was running when they were written may have failed before theirs succeeded.
    if (this.#lastFailure !== undefined && this.#lastFailure !== before)
      throw lostWrites(this.#noun, keys, this.#lastFailure.error);
  }
}

/** What `synced` throws. */
export function lostWrites(noun: string, keys: readonly Digest[], error: unknown): DomainError {
  const message = `${noun} ${keys.join(", ")} could not be synced to disk: ${messageOf(error)}`;
  return new DomainError("data-loss", message, { cause: error });
}
