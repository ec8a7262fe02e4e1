import { chmod, mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { writeFileAtomic } from "#kernel/atomic-file.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { Semaphore } from "#lib/semaphore.ts";
import type { Logger } from "#observability/logger.ts";
import { onDisk } from "./disk-failure.ts";
import type { ChainId, LayerInfo, LayerSource, UnpackProgress, Usage } from "./index.ts";
import { LayerFeed } from "./layer-feed.ts";
import { digestParts, type Layout } from "./layout.ts";
import { allowedUnpackedBytes, type LayerLimits } from "./options.ts";
import type { ReferenceCounts } from "./reference-counts.ts";
import { SharedFlight } from "./shared-flight.ts";
import type { SyncBatch } from "./sync-batch.ts";
import type { TreeJobs } from "./tree-jobs.ts";
import { startUnpacking } from "./unpacking.ts";
import type { WrittenLayer } from "./unpack/layer-writer.ts";
import type { WorkerPool } from "./worker/worker-pool.ts";

/** What layer.json holds. */
interface StoredLayer extends LayerInfo {
  version: 1;
  inodes: number;
  hasRootEntry: boolean;
  /** Directories (byte strings) whose owner and mode the layers below decide, until `completeParents` has looked there. */
  impliedDirectories: string[];
}

export interface LayerRequest {
  chainId: ChainId;
  diffId: LayerInfo["diffId"];
  source: LayerSource;
}

const recordName = "layer.json";
/** Of compressed layers: after as many the disk is set to write, so that little is left to wait for when the last layer ends. */
const writeOutBytes = 16 * 1024 * 1024;
const readsAtOnce = 16;

interface UnderWay {
  /** The disk has failed to write something, maybe of this layer. */
  writeFailure?: unknown;
}

/** Unpacked layers by chain id. */
export class LayerStore {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #limits: LayerLimits;
  readonly #retry: { retries: number; retryDelayMs: number };
  readonly #inflaters: WorkerPool;
  readonly #unpackers: WorkerPool;
  readonly #trees: TreeJobs;
  readonly #disk: SyncBatch;
  readonly #references: ReferenceCounts<ChainId>;
  readonly #layers = new Map<ChainId, StoredLayer>();
  readonly #flights = new SharedFlight<ChainId, LayerInfo, UnpackProgress>();
  readonly #places = new KeyedMutex<ChainId>();
  /** Layers that power loss could still take, and the sync that ends this, once it has begun. */
  readonly #unsynced = new Map<ChainId, Promise<void> | undefined>();
  /** Layers that are being fetched. */
  readonly #underWay = new Set<UnderWay>();
  /** Compressed bytes unpacked since the disk was last set to write. */
  #unwrittenBytes = 0;

  constructor(parts: {
    layout: Layout;
    logger: Logger;
    limits: LayerLimits;
    retry: { retries: number; retryDelayMs: number };
    inflaters: WorkerPool;
    unpackers: WorkerPool;
    trees: TreeJobs;
    disk: SyncBatch;
    references: ReferenceCounts<ChainId>;
  }) {
    this.#layout = parts.layout;
    this.#logger = parts.logger;
    this.#limits = parts.limits;
    this.#retry = parts.retry;
    this.#inflaters = parts.inflaters;
    this.#unpackers = parts.unpackers;
    this.#trees = parts.trees;
    this.#disk = parts.disk;
    this.#references = parts.references;
  }

  get(chainId: ChainId): LayerInfo | undefined {
    const layer = this.#layers.get(chainId);
    if (layer === undefined) return undefined;
    return { chainId, diffId: layer.diffId, unpackedSizeBytes: layer.unpackedSizeBytes };
  }

  has(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  /** Whether the layer sets the owner and mode of the root directory. */
  hasRootEntry(chainId: ChainId): boolean {
    return this.#layers.get(chainId)?.hasRootEntry === true;
  }

  usage(): Usage {
    const usage: Usage = { usedBytes: 0, inodesUsed: 0 };
    for (const layer of this.#layers.values()) {
      usage.usedBytes += layer.unpackedSizeBytes;
      usage.inodesUsed += layer.inodes;
    }
    return usage;
  }

  /** Reads what is on disk; what is no whole layer is discarded. */
  async load(): Promise<void> {
    const reads = new Semaphore(readsAtOnce);
    const names = await readdir(this.#layout.layers);
    await Promise.all(names.map((name) => reads.run(() => this.#loadOne(path.join(this.#layout.layers, name)))));
  }

  async #loadOne(directory: string): Promise<void> {
    try {
      const layer = parseStoredLayer(await readFile(path.join(directory, recordName), "utf8"));
      if (this.#layout.layer(layer.chainId) !== directory) throw new Error(`it names ${layer.chainId}`);
      await stat(path.join(directory, "diff"));
      this.#layers.set(layer.chainId, layer);
    } catch (error) {
      this.#logger.warn(`layer ${directory} is incomplete and is removed: ${messageOf(error)}`);
      await this.#trees.discard(directory, this.#layout.staging);
    }
  }

  /** See `Storage.addLayer`. */
  async add(
    layer: LayerRequest,
    options: { signal: AbortSignal; onProgress?: ((progress: UnpackProgress) => void) | undefined },
  ): Promise<LayerInfo> {
    digestParts(layer.chainId);
    digestParts(layer.diffId);
    digestParts(layer.source.digest);
    this.#references.claim(layer.chainId);
    const existing = this.get(layer.chainId);
    if (existing !== undefined) return existing;
    return await this.#flights.join(layer.chainId, options, (signal, report) => this.#fetch(layer, signal, report));
  }

  /**
   * Looks up, for each layer of a chain given from the lowest up, the directories that it implies in those below. To be called
   * when all are there and before anything uses them; done once for a layer, since its chain id names all below it.
   */
  async completeParents(chainIds: readonly ChainId[]): Promise<void> {
    for (const [index, chainId] of chainIds.entries()) {
      const stored = this.#layers.get(chainId);
      if (stored === undefined || stored.impliedDirectories.length === 0) continue;
      const lowers = chainIds.slice(0, index).reverse();
      await this.#unpackers.start("adopt-directories", {
        directory: this.#layout.diff(chainId),
        lowerDirectories: lowers.map((lower) => this.#layout.diff(lower)),
        paths: stored.impliedDirectories,
      }).done;
      stored.impliedDirectories = [];
      await writeRecord(stored, this.#layout.layer(chainId));
      this.#unsynced.set(chainId, undefined);
    }
  }

  /** Resolves when the layers survive power loss. @throws DomainError data-loss */
  async synced(chainIds: readonly ChainId[]): Promise<void> {
    this.#sync();
    for (const chainId of chainIds) await this.#unsynced.get(chainId);
    const missing = chainIds.filter((chainId) => !this.#layers.has(chainId));
    if (missing.length > 0) throw lost(missing, new Error("the disk has failed to write them"));
  }

  /** Removes all layers that nothing refers to. */
  async collect(): Promise<void> {
    const garbage = [...this.#layers.keys()].filter((chainId) => this.#references.isGarbage(chainId));
    for (const chainId of garbage) this.#layers.delete(chainId);
    await Promise.all(
      garbage.map((chainId) =>
        this.#places.run(chainId, async () => {
          if (!this.#layers.has(chainId)) await this.#trees.discard(this.#layout.layer(chainId), this.#layout.staging);
        }),
      ),
    );
  }

  async #fetch(
    layer: LayerRequest,
    signal: AbortSignal,
    report: (progress: UnpackProgress) => void,
  ): Promise<LayerInfo> {
    const underWay: UnderWay = {};
    this.#underWay.add(underWay);
    try {
      return await onDisk(`layer ${layer.source.digest}`, this.#layout.imageRoot, () =>
        this.#unpackBeside(layer, underWay, signal, report),
      );
    } finally {
      this.#underWay.delete(underWay);
      // The last layer begins the sync for all.
      if (this.#underWay.size === 0) this.#sync();
    }
  }

  async #unpackBeside(
    layer: LayerRequest,
    underWay: UnderWay,
    signal: AbortSignal,
    report: (progress: UnpackProgress) => void,
  ): Promise<LayerInfo> {
    const staging = this.#layout.fresh(this.#layout.staging);
    const diff = path.join(staging, "diff");
    await using undo = new AsyncDisposableStack();
    await mkdir(diff, { recursive: true });
    undo.defer(() => this.#trees.removeLater(staging));
    await chmod(diff, 0o755);
    const written = await this.#unpack(layer, diff, signal, this.#writingOut(report));
    if (underWay.writeFailure !== undefined) throw lost([layer.chainId], underWay.writeFailure);
    if (written.skippedXattrs.length > 0) {
      const names = written.skippedXattrs.slice(0, 10).join(", ");
      this.#logger.warn(`layer ${layer.source.digest}: the file system does not take the attributes ${names}`);
    }
    const stored: StoredLayer = {
      version: 1,
      chainId: layer.chainId,
      diffId: layer.diffId,
      unpackedSizeBytes: written.unpackedSizeBytes,
      inodes: written.inodes,
      hasRootEntry: written.hasRootEntry,
      impliedDirectories: written.impliedDirectories,
    };
    await writeRecord(stored, staging);
    await this.#putInPlace(stored, staging);
    undo.move();
    return { chainId: stored.chainId, diffId: stored.diffId, unpackedSizeBytes: stored.unpackedSizeBytes };
  }

  async #unpack(
    layer: LayerRequest,
    directory: string,
    signal: AbortSignal,
    report: (progress: UnpackProgress) => void,
  ): Promise<WrittenLayer> {
    const { source, diffId } = layer;
    const subject = `layer ${source.digest}`;
    const feed = new LayerFeed(source, { subject, signal, onProgress: report, ...this.#retry });
    const maxUnpackedBytes = allowedUnpackedBytes(this.#limits, source.sizeBytes);
    const { digest, sizeBytes } = source;
    const task = startUnpacking(
      { inflaters: this.#inflaters, unpackers: this.#unpackers },
      {
        inflate: { digest, sizeBytes, diffId, maxUnpackedBytes },
        unpack: { directory, maxEntries: this.#limits.maxEntries },
      },
      feed,
    );
    return await feed.run(task);
  }

  /** The record of an image that uses the layer is written after `synced`, so a rename that power loss undoes harms nobody. */
  async #putInPlace(stored: StoredLayer, staging: string): Promise<void> {
    const { chainId } = stored;
    await this.#places.run(chainId, async () => {
      const place = this.#layout.layer(chainId);
      try {
        await rename(staging, place);
      } catch (error) {
        if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
        await this.#trees.discard(place, this.#layout.staging);
        await rename(staging, place);
      }
      this.#layers.set(chainId, stored);
    });
    this.#unsynced.set(chainId, undefined);
  }

  /** Sets the disk to write from time to time while layers are unpacked. */
  #writingOut(report: (progress: UnpackProgress) => void): (progress: UnpackProgress) => void {
    let before = 0;
    return (progress) => {
      this.#unwrittenBytes += progress.compressedBytes - before;
      before = progress.compressedBytes;
      if (this.#unwrittenBytes >= writeOutBytes) this.#writeOut();
      report(progress);
    };
  }

  /** The kernel reports a failed write once, to whoever syncs next: what is not synced by then may be hurt. */
  #writeOut(): void {
    this.#unwrittenBytes = 0;
    this.#disk.sync().catch((error: unknown) => {
      for (const layer of this.#underWay) layer.writeFailure = error;
      for (const [chainId, sync] of this.#unsynced) if (sync === undefined) this.#forget(chainId);
    });
  }

  /** Begins to sync all layers that wait for it. */
  #sync(): void {
    const waiting = [...this.#unsynced].filter(([, sync]) => sync === undefined).map(([chainId]) => chainId);
    if (waiting.length === 0) return;
    const sync = this.#disk.sync().then(
      () => waiting.forEach((chainId) => this.#unsynced.delete(chainId)),
      (error: unknown) => this.#lose(waiting, error),
    );
    sync.catch(() => undefined);
    for (const chainId of waiting) this.#unsynced.set(chainId, sync);
  }

  /** The kernel reports a failed write once and forgets the data: the layers cannot be trusted. */
  #lose(chainIds: readonly ChainId[], error: unknown): never {
    for (const chainId of chainIds) this.#forget(chainId);
    throw lost(chainIds, error);
  }

  #forget(chainId: ChainId): void {
    this.#unsynced.delete(chainId);
    this.#layers.delete(chainId);
  }

  async close(): Promise<void> {
    await this.#flights.settled();
    await Promise.allSettled([...this.#unsynced.values()].filter((sync) => sync !== undefined));
  }
}

function lost(chainIds: readonly ChainId[], error: unknown): DomainError {
  const message = `layers ${chainIds.join(", ")} could not be synced to disk: ${messageOf(error)}`;
  return new DomainError("data-loss", message, { cause: error });
}

async function writeRecord(layer: StoredLayer, directory: string): Promise<void> {
  await writeFileAtomic(path.join(directory, recordName), JSON.stringify(layer));
}

export function parseStoredLayer(text: string): StoredLayer {
  const layer = { impliedDirectories: [], ...(JSON.parse(text) as Omit<StoredLayer, "impliedDirectories">) };
  digestParts(layer.chainId);
  digestParts(layer.diffId);
  if (layer.version !== 1) throw new Error("its version is not known");
  if (![layer.unpackedSizeBytes, layer.inodes].every(Number.isSafeInteger)) throw new Error("its sizes are no numbers");
  return layer;
}
