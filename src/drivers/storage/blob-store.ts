import { hash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { digestAlgorithms, isDigest } from "#spec/digest.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { Logger } from "#observability/logger.ts";
import { onDisk } from "./disk-failure.ts";
import type { FetchOptions, LayerSource, UnpackProgress } from "./index.ts";
import { LayerFeed } from "./layer-feed.ts";
import { digestParts, type Layout } from "./layout.ts";
import type { ReferenceCounts } from "./reference-counts.ts";
import { SharedFlight } from "./shared-flight.ts";
import { fromSoundPlace } from "./sound-place.ts";
import type { SyncBatch } from "./sync-batch.ts";
import { CheckedContent } from "./unpack/checked-content.ts";
import { UnsyncedWrites } from "./unsynced-writes.ts";
import type { WorkerPool } from "./worker/worker-pool.ts";

/** Manifests, configs and the content of artifacts, by digest. */
export class BlobStore {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #retry: { retries: number; retryDelayMs: number };
  readonly #writers: WorkerPool;
  readonly #unsynced: UnsyncedWrites;
  readonly #references: ReferenceCounts<Digest>;
  readonly #sizes = new Map<Digest, number>();
  readonly #places = new KeyedMutex<Digest>();
  readonly #flights = new SharedFlight<Digest, void, UnpackProgress>();

  constructor(parts: {
    layout: Layout;
    logger: Logger;
    retry: { retries: number; retryDelayMs: number };
    writers: WorkerPool;
    disk: SyncBatch;
    references: ReferenceCounts<Digest>;
  }) {
    this.#layout = parts.layout;
    this.#retry = parts.retry;
    this.#writers = parts.writers;
    this.#unsynced = new UnsyncedWrites(parts.disk, {
      noun: "blob",
      // Blobs are small, and the sync of the image's layers does for most of them.
      syncsEarly: false,
      forget: (digest) => this.#forget(digest),
    });
    this.#references = parts.references;
    this.#logger = parts.logger;
  }

  /** Reads what is on disk. What has no digest's name is not ours, and is left alone. */
  async load(): Promise<void> {
    for (const algorithm of digestAlgorithms) {
      const directory = path.join(this.#layout.blobs, algorithm);
      for (const name of await readdir(directory)) {
        const digest = `${algorithm}:${name}`;
        if (isDigest(digest)) this.#sizes.set(digest, (await stat(path.join(directory, name))).size);
        else this.#logger.warn(`${path.join(directory, name)} is no blob and is left alone`);
      }
    }
  }

  has(digest: Digest): boolean {
    return this.#sizes.has(digest);
  }

  get usedBytes(): number {
    return this.#sizes.values().reduce((sum, size) => sum + size, 0);
  }

  get count(): number {
    return this.#sizes.size;
  }

  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    digestParts(digest);
    this.#references.claim(digest);
    if (this.has(digest)) {
      if (await this.#isOnDisk(digest, bytes)) return;
      this.#sizes.delete(digest);
    }
    const content = new CheckedContent(digest, bytes.length);
    content.update(bytes);
    content.finish();
    await this.#placed(digest, bytes.length, (file) => writeFile(file, bytes, { flag: "wx", mode: 0o600 }));
  }

  /** Whether the file still is what it was: a configuration that was damaged has to come back with the next pull. */
  async #isOnDisk(digest: Digest, bytes: Uint8Array): Promise<boolean> {
    return await readFile(this.#layout.blob(digest)).then(
      (found) => found.equals(bytes),
      () => false,
    );
  }

  async add(source: LayerSource, options: FetchOptions): Promise<void> {
    const { digest, sizeBytes } = source;
    digestParts(digest);
    this.#references.claim(digest);
    await this.#flights.join(digest, options, async (signal, onProgress) => {
      // Its content would take as long to read as the rest of a start; what was cut off or taken away has to come back with the next pull.
      if (this.has(digest) && (await this.isWhole(digest, sizeBytes))) return;
      this.#sizes.delete(digest);
      const fetch = async (file: string): Promise<void> => {
        const feed = new LayerFeed(source, { subject: `blob ${digest}`, signal, onProgress, ...this.#retry });
        await feed.run(
          this.#writers.start("write-blob", { digest, sizeBytes, file, ...feed.memory }, { onTaken: feed.taken }),
        );
      };
      await fromSoundPlace(source, signal, () => this.#placed(digest, sizeBytes, fetch));
    });
  }

  /** Whether the file is there and as long as it has to be. */
  async isWhole(digest: Digest, sizeBytes: number): Promise<boolean> {
    return await stat(this.#layout.blob(digest)).then(
      ({ size }) => size === sizeBytes,
      () => false,
    );
  }

  /** The file when it is there with the content of its digest; read at once, so for small ones. */
  async readSound(digest: Digest): Promise<Uint8Array | undefined> {
    const [algorithm, hex] = digestParts(digest);
    return await readFile(this.#layout.blob(digest)).then(
      (bytes) => (hash(algorithm, bytes) === hex ? bytes : undefined),
      () => undefined,
    );
  }

  /** @throws DomainError not-found */
  async read(digest: Digest): Promise<Uint8Array> {
    try {
      return await readFile(this.#layout.blob(digest));
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      throw new DomainError("not-found", `blob ${digest} is not in the store`, { cause: error });
    }
  }

  /** Resolves when all blobs that are there survive power loss. @throws DomainError data-loss when the disk has failed to write some */
  async synced(): Promise<void> {
    await this.#unsynced.synced();
  }

  /** Removes all blobs that nothing refers to. */
  async collect(): Promise<void> {
    const garbage = [...this.#sizes.keys()].filter((digest) => this.#references.isGarbage(digest));
    for (const digest of garbage) this.#sizes.delete(digest);
    await Promise.all(garbage.map((digest) => this.#discard(digest)));
  }

  /** Removes the file of a blob that is not known (any more). */
  #discard(digest: Digest): Promise<void> {
    return this.#places.run(digest, async () => {
      if (!this.has(digest)) await rm(this.#layout.blob(digest), { force: true });
    });
  }

  /** The disk has failed to write the blob. */
  #forget(digest: Digest): void {
    this.#sizes.delete(digest);
    this.#discard(digest).catch((error: unknown) => {
      this.#logger.warn(`blob ${digest}, which the disk has failed to write, is not removed: ${messageOf(error)}`);
    });
  }

  async #placed(digest: Digest, sizeBytes: number, write: (file: string) => Promise<void>): Promise<void> {
    const place = this.#layout.blob(digest);
    const file = this.#layout.fresh(this.#layout.staging);
    using writing = this.#unsynced.begin();
    await onDisk(`blob ${digest}`, this.#layout.imageRoot, async () => {
      await using undo = new AsyncDisposableStack();
      undo.defer(() => rm(file, { force: true }));
      await mkdir(path.dirname(place), { recursive: true, mode: 0o700 });
      await write(file);
      await this.#places.run(digest, async () => {
        // Another has been faster, and its file may be durable already.
        if (this.has(digest)) return;
        await rename(file, place);
        try {
          writing.inPlace(digest);
        } catch (error) {
          await rm(place, { force: true });
          throw error;
        }
        this.#sizes.set(digest, sizeBytes);
        undo.move();
      });
    });
  }

  async close(): Promise<void> {
    await this.#flights.settled();
    await this.#unsynced.settled();
  }
}
