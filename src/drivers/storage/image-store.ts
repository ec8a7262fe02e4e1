import { DomainError } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { BlobStore } from "./blob-store.ts";
import { blobsOf } from "./image-blobs.ts";
import { ImageCatalogue } from "./image-catalogue.ts";
import type { ChainId, ImageChange, ImageRecord } from "./index.ts";
import type { LayerStore } from "./layer-store.ts";
import type { Layout } from "./layout.ts";
import type { ReferenceCounts } from "./reference-counts.ts";

/** Image records, and what they refer to: layers and blobs that are there, survive power loss, and are kept. */
export class ImageStore {
  readonly #layout: Layout;
  readonly #layers: LayerStore;
  readonly #blobs: BlobStore;
  readonly #layerReferences: ReferenceCounts<ChainId>;
  readonly #blobReferences: ReferenceCounts<Digest>;
  readonly #catalogue: ImageCatalogue;
  #configs = new Map<string, Uint8Array>();

  constructor(parts: {
    layout: Layout;
    logger: Logger;
    layers: LayerStore;
    blobs: BlobStore;
    layerReferences: ReferenceCounts<ChainId>;
    blobReferences: ReferenceCounts<Digest>;
  }) {
    this.#layout = parts.layout;
    this.#layers = parts.layers;
    this.#blobs = parts.blobs;
    this.#layerReferences = parts.layerReferences;
    this.#blobReferences = parts.blobReferences;
    this.#catalogue = new ImageCatalogue(parts.layout, parts.logger, (before, after) => {
      if (after !== undefined) this.#retain(after);
      if (before !== undefined) this.#release(before);
    });
  }

  /**
   * Reads all records, after the layers and blobs were read; one of which containers could not be made any more is set aside. What is left
   * of it waits for a while for the pull that makes it whole.
   */
  async load(): Promise<void> {
    await this.#catalogue.load(async (record) => {
      const reason = await this.#whyUnusable(record);
      if (reason === undefined) return undefined;
      this.#claim(record);
      return pullAgain(record, reason);
    });
    for (const record of this.all()) this.#retain(record);
  }

  /** Not for want of the manifest: containers do not need it. */
  async #whyUnusable({ id, chainIds, artifact }: ImageRecord): Promise<string | undefined> {
    const layer = chainIds.find((chainId) => !this.#layers.has(chainId));
    if (layer !== undefined) return `its layer ${layer} is missing`;
    if (artifact === undefined) {
      const config = await this.#blobs.readSound(`sha256:${id}`);
      if (config !== undefined) this.#configs.set(id, config);
      return config === undefined ? "its configuration is lost or damaged" : undefined;
    }
    for (const { digest, sizeBytes } of artifact)
      if (!(await this.#blobs.isWhole(digest, sizeBytes))) return `its file ${digest} is lost or damaged`;
    return undefined;
  }

  /** Sets aside all images that need one of these layers, which are lost. What is left of them waits for a while for the pull that makes them whole. */
  async setAsideWithout(lost: readonly ChainId[]): Promise<void> {
    for (const record of this.all()) {
      const layer = record.chainIds.find((chainId) => lost.includes(chainId));
      if (layer === undefined) continue;
      this.#claim(record);
      await this.#catalogue.setAside(record, pullAgain(record, `its layer ${layer} is missing`));
    }
  }

  #claim(record: ImageRecord): void {
    for (const chainId of record.chainIds) this.#layerReferences.claim(chainId);
    for (const digest of blobsOf(record)) this.#blobReferences.claim(digest);
  }

  /** See `Storage.takeConfigs`. */
  takeConfigs(): ReadonlyMap<string, Uint8Array> {
    const taken = this.#configs;
    this.#configs = new Map();
    return taken;
  }

  all(): readonly ImageRecord[] {
    return this.#catalogue.all();
  }

  get(id: string): ImageRecord | undefined {
    return this.#catalogue.get(id);
  }

  /** See `Storage.updateImage`; leaves what nothing refers to any more to the caller. */
  async update(
    id: string,
    change: ImageChange,
  ): Promise<{ before: ImageRecord | undefined; after: ImageRecord | undefined }> {
    this.#layout.image(id);
    const current = this.get(id);
    const planned = change(current);
    if (planned === current) return { before: current, after: current };
    await using undo = new AsyncDisposableStack();
    // Before the records are locked, so that the syncs of several pulls are one. What only changes names has its content already.
    const pulled = planned?.pulledAtMs === current?.pulledAtMs ? undefined : planned;
    if (pulled !== undefined) {
      this.#retain(pulled);
      undo.defer(() => this.#release(pulled));
      await this.#settle(pulled);
    }
    const outcome = await this.#catalogue.update(id, (now) => {
      const record = change(now);
      if (record !== undefined) requireSettled(record, [pulled, now]);
      return record;
    });
    if (pulled !== undefined) {
      this.#layerReferences.unclaim(pulled.chainIds);
      this.#blobReferences.unclaim(blobsOf(pulled));
    }
    return outcome;
  }

  /** A record must never survive a power loss that its layers and blobs do not. */
  async #settle(record: ImageRecord): Promise<void> {
    this.#requireContent(record);
    await this.#layers.completeParents(record.chainIds);
    await this.#layers.synced(record.chainIds);
    await this.#blobs.synced();
    // A sync that has failed meanwhile, for another image, takes what it may have lost.
    this.#requireContent(record);
  }

  #requireContent(record: ImageRecord): void {
    const layer = record.chainIds.find((chainId) => !this.#layers.has(chainId));
    const blob = blobsOf(record).find((digest) => !this.#blobs.has(digest));
    if (layer === undefined && blob === undefined) return;
    const missing = layer === undefined ? `blob ${blob}` : `layer ${layer}`;
    throw new DomainError("aborted", `image ${record.id}: ${missing} was removed meanwhile; pull the image again`);
  }

  #retain(record: ImageRecord): void {
    this.#layerReferences.retain(record.chainIds);
    this.#blobReferences.retain(blobsOf(record));
  }

  #release(record: ImageRecord): void {
    this.#layerReferences.release(record.chainIds);
    this.#blobReferences.release(blobsOf(record));
  }
}

/** @throws DomainError aborted when the record refers to what none of `settled` does */
function requireSettled(record: ImageRecord, settled: readonly (ImageRecord | undefined)[]): void {
  const contentOf = (one: ImageRecord): Digest[] => [...one.chainIds, ...blobsOf(one)];
  const known = new Set(settled.filter((one) => one !== undefined).flatMap(contentOf));
  if (contentOf(record).every((digest) => known.has(digest))) return;
  throw new DomainError("aborted", `image ${record.id} was changed meanwhile; pull it again`);
}

function pullAgain({ repoTags, repoDigests }: ImageRecord, reason: string): string {
  return `${reason}; pull ${repoTags[0] ?? repoDigests[0] ?? "the image"} again`;
}
