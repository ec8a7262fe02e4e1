import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { checkDigest, readSource } from "./fake-download.ts";
import { blobsOf } from "./image-blobs.ts";
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
import { ReferenceCounts } from "./reference-counts.ts";

/** A container root of the fake. */
export interface FakeRootfs {
  chainIds: readonly ChainId[];
  mounted: boolean;
  mountLabel: string | undefined;
  usage: Usage;
  /** What `rootfsChanges` tells. */
  changes: { changed: string[]; deleted: string[] };
  /** What `applyRootfsChanges` was given. */
  applied: { archive?: string; deleted: readonly string[] }[];
}

/**
 * The storage in memory, for domain tests: layers are read and verified by digest and size, not unpacked; roots are paths that
 * do not exist. `failNext` makes a method fail once.
 */
export class FakeStorage implements Storage {
  readonly imageRoot: string = "/fake/images";
  readonly containerRoot: string = "/fake/containers";
  readonly layers = new Map<ChainId, LayerInfo>();
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly records = new Map<string, ImageRecord>();
  readonly roots = new Map<string, FakeRootfs>();
  /** Targets of `mountImage`. */
  readonly imageMounts = new Map<string, readonly ChainId[]>();
  /** How each of them looks. */
  readonly imageViews = new Map<string, RootView>();
  /** What `takeConfigs` gives. */
  readonly startConfigs = new Map<string, Uint8Array>();
  closed = false;
  readonly #failures = new Map<string, unknown>();
  /** What was fetched for an image that is not there yet. */
  readonly #claims = new ReferenceCounts<Digest>(Infinity);

  /** The next call of `method` rejects with `error`. */
  failNext(method: keyof Storage, error: unknown): void {
    this.#failures.set(method, error);
  }

  keepFetched(): Disposable {
    return this.#claims.hold();
  }

  async dropFetched(): Promise<void> {
    this.#mayFail("dropFetched");
    this.#claims.unclaimAll();
    this.#collect([...this.layers.keys()], [...this.blobs.keys()]);
  }

  hasLayer(chainId: ChainId): boolean {
    return this.layers.has(chainId);
  }

  layer(chainId: ChainId): LayerInfo | undefined {
    return this.layers.get(chainId);
  }

  async addLayer(
    layer: { chainId: ChainId; diffId: Digest; source: LayerSource },
    options: FetchOptions,
  ): Promise<LayerInfo> {
    this.#mayFail("addLayer");
    this.#claims.claim(layer.chainId);
    const existing = this.layers.get(layer.chainId);
    if (existing !== undefined) return existing;
    const bytes = await readSource(layer.source, options);
    const info: LayerInfo = { chainId: layer.chainId, diffId: layer.diffId, unpackedSizeBytes: bytes.length };
    this.layers.set(layer.chainId, info);
    return info;
  }

  async putBlob(digest: Digest, bytes: Uint8Array): Promise<void> {
    this.#mayFail("putBlob");
    this.#claims.claim(digest);
    checkDigest(digest, bytes);
    this.blobs.set(digest, Uint8Array.from(bytes));
  }

  async addBlob(source: LayerSource, options: FetchOptions): Promise<void> {
    this.#mayFail("addBlob");
    this.#claims.claim(source.digest);
    this.blobs.set(source.digest, await readSource(source, options));
  }

  async readBlob(digest: Digest): Promise<Uint8Array> {
    this.#mayFail("readBlob");
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new DomainError("not-found", `blob ${digest} is not in the store`);
    return bytes;
  }

  blobPath(digest: Digest): string {
    return path.join(this.imageRoot, "blobs", digest.replace(":", "/"));
  }

  images(): readonly ImageRecord[] {
    return Object.freeze([...this.records.values()]);
  }

  image(id: string): ImageRecord | undefined {
    return this.records.get(id);
  }

  takeConfigs(): ReadonlyMap<string, Uint8Array> {
    const taken = new Map(this.startConfigs);
    this.startConfigs.clear();
    return taken;
  }

  /** Lets others run between the two calls of `change`, as the storage on disk does while it syncs. */
  async updateImage(id: string, change: ImageChange): Promise<ImageRecord | undefined> {
    this.#mayFail("updateImage");
    const planned = change(this.records.get(id));
    if (planned === this.records.get(id)) return planned;
    await setImmediate();
    const before = this.records.get(id);
    const after = change(before);
    if (after === before) return after;
    if (after !== undefined) return this.#put(after);
    if (before !== undefined) this.#remove(before);
    return undefined;
  }

  #put(record: ImageRecord): ImageRecord {
    const missing = record.chainIds.find((chainId) => !this.layers.has(chainId));
    if (missing !== undefined)
      throw new DomainError("aborted", `image ${record.id}: layer ${missing} was removed meanwhile`);
    if (record.pulledAtMs !== this.records.get(record.id)?.pulledAtMs) {
      const lost = blobsOf(record).find((digest) => !this.blobs.has(digest));
      if (lost !== undefined)
        throw new DomainError("aborted", `image ${record.id}: blob ${lost} was removed meanwhile`);
    }
    const taken = new Set([...record.repoTags, ...record.repoDigests]);
    for (const [id, other] of this.records) {
      const keep = (names: string[]): string[] => names.filter((name) => !taken.has(name));
      if (![...other.repoTags, ...other.repoDigests].some((name) => taken.has(name))) continue;
      this.records.set(id, { ...other, repoTags: keep(other.repoTags), repoDigests: keep(other.repoDigests) });
    }
    const stored = structuredClone(record);
    this.records.set(record.id, stored);
    this.#claims.unclaim([...record.chainIds, ...blobsOf(record)]);
    return stored;
  }

  #remove(removed: ImageRecord): void {
    this.records.delete(removed.id);
    this.#collect(removed.chainIds, blobsOf(removed));
  }

  #collect(chainIds: readonly ChainId[], blobs: readonly Digest[]): void {
    const records = [...this.records.values()];
    const users = [...records, ...this.roots.values()];
    const used = new Set([...users.flatMap(({ chainIds }) => chainIds), ...records.flatMap(blobsOf)]);
    const isGarbage = (digest: Digest): boolean => !used.has(digest) && this.#claims.isGarbage(digest);
    for (const chainId of chainIds.filter(isGarbage)) this.layers.delete(chainId);
    for (const digest of blobs.filter(isGarbage)) this.blobs.delete(digest);
  }

  async createRootfs(containerId: string, chainIds: readonly ChainId[], options: RootView = {}): Promise<Rootfs> {
    this.#mayFail("createRootfs");
    if (this.roots.has(containerId))
      throw new DomainError("already-exists", `container root ${containerId} exists already`);
    const missing = chainIds.find((chainId) => !this.layers.has(chainId));
    if (missing !== undefined) {
      for (const { id, chainIds } of this.records.values()) if (chainIds.includes(missing)) this.records.delete(id);
      throw new DomainError("failed-precondition", `${containerId}: layer ${missing} is not in the store`);
    }
    this.roots.set(containerId, {
      chainIds: [...chainIds],
      mounted: true,
      mountLabel: options.mountLabel,
      usage: { usedBytes: 4096, inodesUsed: 1 },
      changes: { changed: [], deleted: [] },
      applied: [],
    });
    return this.#paths(containerId);
  }

  async mountRootfs(containerId: string): Promise<Rootfs> {
    this.#mayFail("mountRootfs");
    this.#root(containerId).mounted = true;
    return this.#paths(containerId);
  }

  async unmountRootfs(containerId: string): Promise<void> {
    this.#mayFail("unmountRootfs");
    const root = this.roots.get(containerId);
    if (root !== undefined) root.mounted = false;
  }

  async removeRootfs(containerId: string): Promise<void> {
    this.#mayFail("removeRootfs");
    this.roots.delete(containerId);
  }

  rootfsLink(containerId: string): string {
    return path.join(this.containerRoot, "containers", containerId, "merged");
  }

  async rootfsIds(): Promise<string[]> {
    return [...this.roots.keys()];
  }

  async rootfsUsage(containerId: string): Promise<Usage> {
    this.#mayFail("rootfsUsage");
    return this.#root(containerId).usage;
  }

  async rootfsChanges(
    containerId: string,
    { listFile }: { ignored: readonly string[]; listFile: string },
  ): Promise<RootfsChanges> {
    this.#mayFail("rootfsChanges");
    const { changed, deleted } = this.#root(containerId).changes;
    await writeFile(listFile, changed.map((name) => `${name}\0`).join(""), { flag: "wx" });
    return { mountPath: this.#paths(containerId).mountPath, changed: changed.length, deleted };
  }

  async applyRootfsChanges(
    containerId: string,
    changes: { archive?: string; deleted: readonly string[] },
  ): Promise<void> {
    this.#mayFail("applyRootfsChanges");
    this.#root(containerId).applied.push(changes);
  }

  async mountImage(chainIds: readonly ChainId[], target: string, options: RootView = {}): Promise<void> {
    this.#mayFail("mountImage");
    this.imageViews.set(target, options);
    this.imageMounts.set(target, [...chainIds]);
  }

  imageUsage(): Usage {
    const layers = [...this.layers.values()];
    const blobs = [...this.blobs.values()];
    return {
      usedBytes:
        layers.reduce((sum, layer) => sum + layer.unpackedSizeBytes, 0) +
        blobs.reduce((sum, blob) => sum + blob.length, 0),
      inodesUsed: layers.length + blobs.length + this.records.size,
    };
  }

  async containerUsage(): Promise<Usage> {
    const usages = [...this.roots.values()].map((root) => root.usage);
    return {
      usedBytes: usages.reduce((sum, usage) => sum + usage.usedBytes, 0),
      inodesUsed: usages.reduce((sum, usage) => sum + usage.inodesUsed, 0),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #root(containerId: string): FakeRootfs {
    const root = this.roots.get(containerId);
    if (root === undefined) throw new DomainError("not-found", `container root ${containerId} does not exist`);
    return root;
  }

  #paths(containerId: string): Rootfs {
    const mountPath = path.join("/fake/run/rootfs", containerId, "merged");
    return { mountPath, upperPath: path.join(this.containerRoot, "containers", containerId, "diff") };
  }

  #mayFail(method: keyof Storage): void {
    if (!this.#failures.has(method)) return;
    const error = this.#failures.get(method);
    this.#failures.delete(method);
    throw error;
  }
}
