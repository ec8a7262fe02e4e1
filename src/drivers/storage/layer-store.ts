import { chmod, mkdir, readdir, rename, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { Semaphore } from "#lib/semaphore.ts";
import type { Logger } from "#observability/logger.ts";
import { onDisk } from "./disk-failure.ts";
import type { ChainId, LayerInfo, LayerSource, UnpackProgress, Usage } from "./index.ts";
import { type LayerRecord, readLayerRecord, writeLayerRecord } from "./layer-record.ts";
import { digestParts, type Layout } from "./layout.ts";
import type { ReferenceCounts } from "./reference-counts.ts";
import { SharedFlight } from "./shared-flight.ts";
import { fromSoundPlace } from "./sound-place.ts";
import type { SyncBatch } from "./sync-batch.ts";
import type { TreeJobs } from "./tree-jobs.ts";
import { unpackLayer, type Unpacking } from "./unpack-layer.ts";
import { UnusableLayers } from "./unusable-layers.ts";
import { lostWrites, UnsyncedWrites, type Write } from "./unsynced-writes.ts";

export interface LayerRequest {
  chainId: ChainId;
  diffId: LayerInfo["diffId"];
  source: LayerSource;
}

const readsAtOnce = 16;

/** Unpacked layers by chain id. */
export class LayerStore {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #unpacking: Unpacking;
  readonly #trees: TreeJobs;
  readonly #references: ReferenceCounts<ChainId>;
  readonly #inContainers: (chainId: ChainId) => boolean;
  readonly #unusable: UnusableLayers;
  readonly #layers = new Map<ChainId, LayerRecord>();
  readonly #unsynced: UnsyncedWrites;
  readonly #flights = new SharedFlight<ChainId, LayerInfo, UnpackProgress>();
  readonly #places = new KeyedMutex<ChainId>();

  /** `inContainers` tells whether a container may have the layer below its root. */
  constructor(parts: {
    layout: Layout;
    logger: Logger;
    unpacking: Unpacking;
    trees: TreeJobs;
    disk: SyncBatch;
    references: ReferenceCounts<ChainId>;
    inContainers: (chainId: ChainId) => boolean;
  }) {
    this.#layout = parts.layout;
    this.#logger = parts.logger;
    this.#unpacking = parts.unpacking;
    this.#trees = parts.trees;
    this.#references = parts.references;
    this.#inContainers = parts.inContainers;
    this.#unusable = new UnusableLayers(parts);
    this.#unsynced = new UnsyncedWrites(parts.disk, {
      noun: "layer",
      syncsEarly: true,
      forget: (chainId) => this.#forget(chainId),
    });
  }

  get(chainId: ChainId): LayerInfo | undefined {
    const layer = this.#layers.get(chainId);
    if (layer === undefined) return undefined;
    return { chainId, diffId: layer.diffId, unpackedSizeBytes: layer.unpackedSizeBytes };
  }

  has(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  /** @throws DomainError failed-precondition when a layer that `user` needs is not there */
  require(user: string, chainIds: readonly ChainId[]): void {
    const missing = chainIds.find((chainId) => !this.#layers.has(chainId));
    if (missing === undefined) return;
    throw new DomainError(
      "failed-precondition",
      `${user}: layer ${missing} is not in the store; the image must be pulled again`,
    );
  }

  /** Which of these layers are not here or no longer on disk; they are not known any more. */
  async lost(chainIds: readonly ChainId[]): Promise<ChainId[]> {
    const found = await Promise.all(chainIds.map((chainId) => this.#isLost(chainId)));
    return chainIds.filter((_, index) => found[index]);
  }

  /** Not when the disk does not give the layers at all: an image root that is not mounted has lost nothing. */
  #isLost(chainId: ChainId): Promise<boolean> {
    return this.#places.run(chainId, async () => {
      if (!this.#layers.has(chainId)) return true;
      if (await isThere(this.#layout.diff(chainId))) return false;
      if (!(await isThere(this.#layout.layers))) return false;
      this.#layers.delete(chainId);
      this.#logger.error(`layer ${this.#layout.layer(chainId)} is no longer on disk`);
      return true;
    });
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

  /** Reads what is on disk; what is no whole layer is discarded. `inContainers` must know all roots already. */
  async load(): Promise<void> {
    const reads = new Semaphore(readsAtOnce);
    const names = await readdir(this.#layout.layers);
    await Promise.all(names.map((name) => reads.run(() => this.#loadOne(name))));
  }

  async #loadOne(name: string): Promise<void> {
    const directory = path.join(this.#layout.layers, name);
    const chainId = this.#layout.chainIdOf(name);
    if (chainId !== undefined && directory !== this.#layout.layer(chainId)) {
      await this.#unusable.found(directory, chainId, new Error("another has taken its place"));
      return;
    }
    try {
      const layer = await readLayerRecord(directory, this.#layout);
      await stat(path.join(directory, "diff"));
      this.#layers.set(layer.chainId, layer);
    } catch (error) {
      await this.#unusable.found(directory, chainId, error);
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
    if (existing !== undefined && !(await this.#isLost(layer.chainId))) return existing;
    return await this.#flights.join(layer.chainId, options, (signal, report) => this.#fetch(layer, signal, report));
  }

  /**
   * Looks up, for each layer of a chain given from the lowest up, the directories that it implies in those below. To be called
   * when all are there and before anything uses them; done once for a layer, since its chain id names all below it.
   */
  async completeParents(chainIds: readonly ChainId[]): Promise<void> {
    using write = this.#unsynced.begin();
    for (const [index, chainId] of chainIds.entries()) {
      const lowers = chainIds.slice(0, index).reverse();
      await this.#places.run(chainId, () => this.#completeParentsOf(chainId, lowers, write));
    }
  }

  async #completeParentsOf(chainId: ChainId, lowers: readonly ChainId[], write: Write): Promise<void> {
    const stored = this.#layers.get(chainId);
    if (stored === undefined || stored.impliedDirectories.length === 0) return;
    await this.#unpacking.unpackers.start("adopt-directories", {
      directory: this.#layout.diff(chainId),
      lowerDirectories: lowers.map((lower) => this.#layout.diff(lower)),
      paths: stored.impliedDirectories,
    }).done;
    await writeLayerRecord({ ...stored, impliedDirectories: [] }, this.#layout.layer(chainId));
    write.inPlace(chainId);
    // Last: who finds nothing to do relies on `synced` to wait for what was done.
    stored.impliedDirectories = [];
  }

  /** Resolves when the layers survive power loss. @throws DomainError data-loss */
  async synced(chainIds: readonly ChainId[]): Promise<void> {
    await this.#unsynced.synced(chainIds);
    const missing = chainIds.filter((chainId) => !this.#layers.has(chainId));
    if (missing.length > 0) throw lostWrites("layer", missing, new Error("the disk has failed to write it"));
  }

  /** Whether `collect` would remove something. */
  hasGarbage(): boolean {
    return this.#layers.keys().some((chainId) => this.#isGarbage(chainId)) || this.#unusable.unused().length > 0;
  }

  /** Removes all layers that nothing refers to. */
  async collect(): Promise<void> {
    const garbage = [...this.#layers.keys()].filter((chainId) => this.#isGarbage(chainId));
    for (const chainId of garbage) this.#layers.delete(chainId);
    await Promise.all([
      ...garbage.map((chainId) => this.#discard(chainId)),
      ...this.#unusable.unused().map((chainId) => this.#places.run(chainId, () => this.#unusable.discard(chainId))),
    ]);
  }

  #isGarbage(chainId: ChainId): boolean {
    return this.#references.isGarbage(chainId) && !this.#inContainers(chainId);
  }

  /** Takes a layer that is not known (any more) out of its place. */
  #discard(chainId: ChainId): Promise<void> {
    return this.#places.run(chainId, async () => {
      if (!this.#layers.has(chainId)) await this.#trees.discard(this.#layout.layer(chainId), this.#layout.staging);
    });
  }

  /** The disk has failed to write the layer, or something of it. */
  #forget(chainId: ChainId): void {
    this.#layers.delete(chainId);
    this.#discard(chainId).catch((error: unknown) => {
      this.#logger.warn(`layer ${chainId}, which the disk has failed to write, is not removed: ${messageOf(error)}`);
    });
  }

  #fetch(layer: LayerRequest, signal: AbortSignal, report: (progress: UnpackProgress) => void): Promise<LayerInfo> {
    return fromSoundPlace(layer.source, signal, async () => {
      using write = this.#unsynced.begin();
      return await onDisk(`layer ${layer.source.digest}`, this.#layout.imageRoot, () =>
        this.#unpackBeside(layer, write, signal, report),
      );
    });
  }

  async #unpackBeside(
    layer: LayerRequest,
    write: Write,
    signal: AbortSignal,
    report: (progress: UnpackProgress) => void,
  ): Promise<LayerInfo> {
    const staging = this.#layout.fresh(this.#layout.staging);
    const diff = path.join(staging, "diff");
    await using undo = new AsyncDisposableStack();
    await mkdir(diff, { recursive: true });
    undo.defer(() => this.#trees.removeLater(staging));
    await chmod(diff, 0o755);
    const onProgress = (progress: UnpackProgress): void => {
      write.progress(progress.compressedBytes);
      report(progress);
    };
    const written = await unpackLayer(this.#unpacking, layer, diff, { signal, onProgress });
    if (written.skippedXattrs.length > 0) {
      const names = written.skippedXattrs.slice(0, 10).join(", ");
      this.#logger.warn(`layer ${layer.source.digest}: the file system does not take the attributes ${names}`);
    }
    const stored: LayerRecord = {
      version: 1,
      chainId: layer.chainId,
      diffId: layer.diffId,
      unpackedSizeBytes: written.unpackedSizeBytes,
      inodes: written.inodes,
      hasRootEntry: written.hasRootEntry,
      impliedDirectories: written.impliedDirectories,
    };
    await writeLayerRecord(stored, staging);
    await this.#putInPlace(stored, staging, write);
    undo.move();
    return { chainId: stored.chainId, diffId: stored.diffId, unpackedSizeBytes: stored.unpackedSizeBytes };
  }

  /** The record of an image that uses the layer is written after `synced`, so a rename that power loss undoes harms nobody. */
  async #putInPlace(stored: LayerRecord, staging: string, write: Write): Promise<void> {
    const { chainId } = stored;
    await this.#places.run(chainId, async () => {
      const place = this.#layout.layer(chainId);
      try {
        await rename(staging, place);
      } catch (error) {
        if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
        await this.#unusable.makeRoom(chainId);
        await rename(staging, place);
      }
      try {
        write.inPlace(chainId);
      } catch (error) {
        await this.#trees.discard(place, this.#layout.staging);
        throw error;
      }
      this.#layers.set(chainId, stored);
    });
  }

  async close(): Promise<void> {
    await this.#flights.settled();
    await this.#unsynced.settled();
  }
}

/** False only for what certainly is not there. */
async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    (error: unknown) => !hasErrno(error, "ENOENT", "ENOTDIR"),
  );
}
