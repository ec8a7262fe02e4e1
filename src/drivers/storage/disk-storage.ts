import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import { tryLockFile } from "#kernel/file-metadata.ts";
import type { Logger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import { BlobStore } from "./blob-store.ts";
import { onDisk } from "./disk-failure.ts";
import { ImageStore } from "./image-store.ts";
import { mountImageView } from "./image-view.ts";
import type {
  ChainId,
  FetchOptions,
  ImageChange,
  ImageRecord,
  LayerInfo,
  LayerSource,
  Rootfs,
  RootfsChanges,
  RootView,
  Storage,
  Usage,
} from "./index.ts";
import { LayerStore } from "./layer-store.ts";
import { Layout } from "./layout.ts";
import { defaultLimits, defaultOptions, type StorageOptions } from "./options.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { applyRootfsChanges, rootfsChanges } from "./rootfs-changes.ts";
import { RootfsStore } from "./rootfs-store.ts";
import { SyncBatch } from "./sync-batch.ts";
import { TreeJobs } from "./tree-jobs.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

/** How long a layer or blob may wait for the image that it was fetched for. */
const claimMs = 3_600_000;

/**
 * Opens the storage: makes what is missing, sweeps what a crash left, reads what is there. Layers and blobs that no image and
 * no container refers to are removed; a pull that a crash cut off starts again.
 * Undone by `close`.
 * @throws DomainError failed-precondition when another process has it open
 */
export async function createStorage(options: StorageOptions, logger: Logger): Promise<Storage> {
  const layout = new Layout(options);
  await layout.create();
  await using undo = new AsyncDisposableStack();
  const lock = lockRoot(layout.imageRoot);
  undo.defer(() => closeSync(lock));
  const disk = await SyncBatch.open(layout.imageRoot);
  undo.defer(() => disk.close());
  const storage = new DiskStorage({ layout, logger, options, disk, lock });
  undo.defer(() => storage.stopWorkers());
  await storage.load();
  undo.move();
  return storage;
}

/** The lock goes with the process, however it ends. */
function lockRoot(imageRoot: string): number {
  const fd = openSync(path.join(imageRoot, "lock"), "a", 0o600);
  if (tryLockFile(fd)) return fd;
  closeSync(fd);
  throw new DomainError("failed-precondition", `storage ${imageRoot} is in use by another process`);
}

class DiskStorage implements Storage {
  readonly imageRoot: string;
  readonly containerRoot: string;
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #disk: SyncBatch;
  readonly #lock: number;
  readonly #inflaters: WorkerPool;
  readonly #unpackers: WorkerPool;
  readonly #trees: TreeJobs;
  readonly #layerReferences = new ReferenceCounts<ChainId>(claimMs);
  readonly #blobReferences = new ReferenceCounts<Digest>(claimMs);
  readonly #layers: LayerStore;
  readonly #blobs: BlobStore;
  readonly #images: ImageStore;
  readonly #roots: RootfsStore;
  #containerUsage: Promise<Usage> | undefined;

  constructor(parts: { layout: Layout; logger: Logger; options: StorageOptions; disk: SyncBatch; lock: number }) {
    const { layout, logger, options, disk } = parts;
    const { workers, workerIdleMs, retries, retryDelayMs } = { ...defaultOptions, ...options };
    this.imageRoot = layout.imageRoot;
    this.containerRoot = layout.containerRoot;
    this.#layout = layout;
    this.#logger = logger;
    this.#disk = disk;
    this.#lock = parts.lock;
    this.#inflaters = new WorkerPool({
      name: "storage inflate",
      entry: "./inflate-worker.ts",
      size: Math.ceil(workers / 2),
      idleMs: workerIdleMs,
    });
    this.#unpackers = new WorkerPool({ name: "storage unpack", size: workers, idleMs: workerIdleMs });
    const trees = new TreeJobs(layout, logger, workerIdleMs);
    const retry = { retries, retryDelayMs };
    this.#trees = trees;
    this.#layers = new LayerStore({
      layout,
      logger,
      unpacking: {
        limits: { ...defaultLimits, ...options.limits },
        retry,
        inflaters: this.#inflaters,
        unpackers: this.#unpackers,
      },
      trees,
      disk,
      references: this.#layerReferences,
      inContainers: (chainId) => this.#roots.mayUse(chainId),
    });
    this.#blobs = new BlobStore({
      layout,
      logger,
      retry,
      writers: this.#unpackers,
      disk,
      references: this.#blobReferences,
    });
    this.#images = new ImageStore({
      layout,
      logger,
      layers: this.#layers,
      blobs: this.#blobs,
      layerReferences: this.#layerReferences,
      blobReferences: this.#blobReferences,
    });
    const references = this.#layerReferences;
    this.#roots = new RootfsStore({ layout, logger, layers: this.#layers, trees, references });
  }

  /** Called once, before anything else. */
  async load(): Promise<void> {
    await Promise.all([this.#trees.sweep(this.#layout.staging), this.#trees.sweep(this.#layout.trash)]);
    // Which layers containers use decides what becomes of a damaged one.
    await this.#roots.load();
    await Promise.all([this.#layers.load(), this.#blobs.load()]);
    await this.#images.load();
    await this.#collect();
  }

  keepFetched(): Disposable {
    const holds = new DisposableStack();
    holds.use(this.#layerReferences.hold());
    holds.use(this.#blobReferences.hold());
    return holds;
  }

  async dropFetched(): Promise<void> {
    this.#layerReferences.unclaimAll();
    this.#blobReferences.unclaimAll();
    await this.#collect();
  }

  hasLayer(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  layer(chainId: ChainId): LayerInfo | undefined {
    return this.#layers.get(chainId);
  }

  addLayer(
    layer: { chainId: ChainId; diffId: Digest; source: LayerSource },
    options: FetchOptions,
  ): Promise<LayerInfo> {
    return this.#layers.add(layer, options);
  }

  putBlob(digest: Digest, bytes: Uint8Array): Promise<void> {
    return this.#blobs.put(digest, bytes);
  }

  addBlob(source: LayerSource, options: FetchOptions): Promise<void> {
    return this.#blobs.add(source, options);
  }

  readBlob(digest: Digest): Promise<Uint8Array> {
    return this.#blobs.read(digest);
  }

  blobPath(digest: Digest): string {
    return this.#layout.blob(digest);
  }

  images(): readonly ImageRecord[] {
    return this.#images.all();
  }

  image(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  takeConfigs(): ReadonlyMap<string, Uint8Array> {
    return this.#images.takeConfigs();
  }

  async updateImage(id: string, change: ImageChange): Promise<ImageRecord | undefined> {
    return await onDisk(`image ${id}`, this.imageRoot, async () => {
      const { before, after } = await this.#images.update(id, change);
      if (before !== undefined && after === undefined) await this.#collect();
      return after;
    });
  }

  createRootfs(
    containerId: string,
    chainIds: readonly ChainId[],
    options: Parameters<Storage["createRootfs"]>[2] = {},
  ): Promise<Rootfs> {
    return this.#withLayers(containerId, chainIds, () => this.#roots.create(containerId, chainIds, options));
  }

  mountRootfs(containerId: string): Promise<Rootfs> {
    const chainIds = this.#roots.chainIdsOf(containerId);
    return this.#withLayers(containerId, chainIds, () => this.#roots.mount(containerId));
  }

  unmountRootfs(containerId: string): Promise<void> {
    return this.#roots.unmount(containerId);
  }

  async removeRootfs(containerId: string): Promise<void> {
    await this.#roots.remove(containerId);
    // The image may have gone before the container.
    if (this.#layers.hasGarbage()) await this.#collect();
  }

  rootfsLink(containerId: string): string {
    return this.#layout.rootLink(containerId);
  }

  async rootfsIds(): Promise<string[]> {
    return this.#roots.ids();
  }

  rootfsUsage(containerId: string): Promise<Usage> {
    return this.#roots.usage(containerId);
  }

  rootfsChanges(
    containerId: string,
    options: { ignored: readonly string[]; listFile: string },
  ): Promise<RootfsChanges> {
    return rootfsChanges(this.#trees, this.#roots.places(containerId), options);
  }

  applyRootfsChanges(containerId: string, changes: { archive?: string; deleted: readonly string[] }): Promise<void> {
    return applyRootfsChanges(this.#trees, this.#roots.places(containerId), changes);
  }

  async mountImage(chainIds: readonly ChainId[], target: string, options: RootView = {}): Promise<void> {
    await this.#withLayers(target, chainIds, async () => {
      this.#layers.require(target, chainIds);
      await mountImageView(this.#layout, chainIds, target, options);
    });
  }

  imageUsage(): Usage {
    const layers = this.#layers.usage();
    const files = this.#blobs.count + this.#images.all().length;
    return { usedBytes: layers.usedBytes + this.#blobs.usedBytes, inodesUsed: layers.inodesUsed + files };
  }

  containerUsage(): Promise<Usage> {
    this.#containerUsage ??= this.#roots.totalUsage().finally(() => {
      this.#containerUsage = undefined;
    });
    return this.#containerUsage;
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await Promise.all([this.#layers.close(), this.#blobs.close()]);
    await this.#disk.close();
    closeSync(this.#lock);
  }

  async stopWorkers(): Promise<void> {
    await Promise.all([this.#inflaters.close(), this.#unpackers.close(), this.#trees.close()]);
  }

  /** Where layers turn out to be lost, the images that need them are set aside, so that they are pulled again. */
  async #withLayers<T>(user: string, chainIds: readonly ChainId[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const lost = await this.#layers.lost(chainIds);
      if (lost.length === 0) throw error;
      await this.#images.setAsideWithout(lost);
      const message = `${user}: ${lost.length} of ${chainIds.length} layers of its image are not in the store: ${lost.join(", ")}; the image must be pulled again`;
      throw new DomainError("failed-precondition", message, { facts: { lost }, cause: error });
    }
  }

  async #collect(): Promise<void> {
    await Promise.all([this.#layers.collect(), this.#blobs.collect()]);
    this.#logger.debug("layers and blobs without an image are removed");
  }
}
