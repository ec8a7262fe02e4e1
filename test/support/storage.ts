import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { createStorage } from "#drivers/storage/disk-storage.ts";
import { blobsOf } from "#drivers/storage/image-blobs.ts";
import type { ImageRecord, LayerInfo, LayerSource, Storage } from "#drivers/storage/index.ts";
import type { StorageOptions } from "#drivers/storage/options.ts";
import { type LogFields, type Logger, silentLogger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import { tarOf, type TarPart } from "./tar.ts";

export function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A layer's blob with what `addLayer` wants to know about it. The chain id is the diff id, as for a lowest layer. */
export interface TestLayer {
  chainId: Digest;
  diffId: Digest;
  blob: Buffer;
  source: LayerSource;
}

export function layerOf(parts: readonly TarPart[], compress: (tar: Buffer) => Buffer = gzipSync): TestLayer {
  const tar = tarOf(parts);
  return layerFrom(compress(tar), sha256(tar));
}

export function layerFrom(blob: Buffer, diffId: Digest): TestLayer {
  return { chainId: diffId, diffId, blob, source: sourceOf(blob) };
}

/** A source that sends the bytes in pieces of 64 KiB, changed as a test likes. */
export function sourceOf(blob: Buffer, changes: Partial<LayerSource> = {}): LayerSource {
  return {
    digest: sha256(blob),
    sizeBytes: blob.length,
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    open: async (offset) => streamOf(blob.subarray(offset)),
    ...changes,
  };
}

export function streamOf(bytes: Uint8Array, pieceBytes = 65_536): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset < bytes.length) controller.enqueue(Uint8Array.from(bytes.subarray(offset, offset + pieceBytes)));
      else controller.close();
      offset += pieceBytes;
    },
  });
}

/** A storage in a directory of its own, and a way to open it again as after a restart. */
export class StorageFixture implements AsyncDisposable {
  readonly directory: string;
  readonly logged: { level: string; message: string }[] = [];
  #storage: Storage | undefined;
  readonly #options: Partial<StorageOptions>;

  private constructor(directory: string, options: Partial<StorageOptions>) {
    this.directory = directory;
    this.#options = options;
  }

  static async open(options: Partial<StorageOptions> = {}, directory?: string): Promise<StorageFixture> {
    const own = directory ?? (await mkdtemp(path.join(os.tmpdir(), "berth-storage-")));
    const fixture = new StorageFixture(own, options);
    fixture.#storage = await fixture.#create();
    return fixture;
  }

  get storage(): Storage {
    if (this.#storage === undefined) throw new Error("the storage is closed");
    return this.#storage;
  }

  get roots(): { imageRoot: string; containerRoot: string; runRoot: string } {
    return {
      imageRoot: path.join(this.directory, "lib"),
      containerRoot: path.join(this.directory, "lib"),
      runRoot: path.join(this.directory, "run"),
    };
  }

  diff(chainId: Digest, ...names: string[]): string {
    return path.join(this.roots.imageRoot, "layers", chainId.slice("sha256:".length), "diff", ...names);
  }

  add(layer: TestLayer, source: Partial<LayerSource> = {}): Promise<LayerInfo> {
    const { chainId, diffId } = layer;
    return this.storage.addLayer(
      { chainId, diffId, source: { ...layer.source, ...source } },
      { signal: new AbortController().signal },
    );
  }

  /** A layer that no other test has, in the store. */
  async addedLayer(): Promise<TestLayer> {
    const layer = layerOf([{ path: "file", content: randomBytes(16) }]);
    await this.add(layer);
    return layer;
  }

  /** Names of the layers' directories, in their order. */
  async layersOnDisk(): Promise<string[]> {
    return (await readdir(path.join(this.roots.imageRoot, "layers"))).toSorted();
  }

  async reopen(between?: () => Promise<void>): Promise<Storage> {
    await this.storage.close();
    await between?.();
    this.#storage = await this.#create();
    return this.#storage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of await this.storage.rootfsIds()) await this.storage.removeRootfs(id);
    await this.storage.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  #create(): Promise<Storage> {
    return createStorage({ ...this.roots, retryDelayMs: 1, ...this.#options }, this.#logger());
  }

  #logger(): Logger {
    const at =
      (level: string) =>
      (message: string, _fields?: LogFields): void =>
        void this.logged.push({ level, message });
    return { ...silentLogger, info: at("info"), warn: at("warn"), error: at("error"), child: () => this.#logger() };
  }
}

/** What the digests of images for tests stand for. */
const blobs = new Map<Digest, Uint8Array>();

function freshBlob(): Digest {
  const bytes = randomBytes(8);
  blobs.set(sha256(bytes), bytes);
  return sha256(bytes);
}

/** A record with a manifest and a configuration of its own, which `putImage` knows. */
export function imageOf(layers: readonly { chainId: Digest }[], changes: Partial<ImageRecord> = {}): ImageRecord {
  return {
    id: freshBlob().slice("sha256:".length),
    repoTags: [],
    repoDigests: [],
    manifestDigest: freshBlob(),
    manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
    chainIds: layers.map((layer) => layer.chainId),
    compressedSizeBytes: 0,
    unpackedSizeBytes: 0,
    pulledAtMs: Date.now(),
    ...changes,
  };
}

/** Keeps the record as it stands, in the place of one that is there, with the blobs that `imageOf` has made up for it. */
export async function putImage(storage: Storage, record: ImageRecord): Promise<void> {
  for (const digest of blobsOf(record)) {
    const bytes = blobs.get(digest);
    if (bytes !== undefined) await storage.putBlob(digest, bytes);
  }
  await storage.updateImage(record.id, () => record);
}

export async function removeImage(storage: Storage, id: string): Promise<void> {
  await storage.updateImage(id, () => undefined);
}
