import type { ImageSignature } from "#spec/image-signature.ts";
import type { Digest } from "#spec/oci-image.ts";

/** The chain id of a layer and all beneath it (image-spec config.md, "Layer ChainID"); the key of an unpacked layer. */
export type ChainId = Digest;

/** One image as it is kept: written only after all its layers are in. */
export interface ImageRecord {
  /** 64 hex of the config digest, of an artifact of the manifest digest. */
  id: string;
  /** Fully qualified `registry/repository:tag`. */
  repoTags: string[];
  /** Fully qualified `registry/repository@digest`. */
  repoDigests: string[];
  manifestDigest: Digest;
  manifestMediaType: string;
  /** Chain ids from the lowest layer up. */
  chainIds: ChainId[];
  /** Compressed bytes as fetched: layers and config. */
  compressedSizeBytes: number;
  /** Unpacked bytes of all layers; what CRI's Image.size reports. */
  unpackedSizeBytes: number;
  pulledAtMs: number;
  /** Artifacts (config that is no image config) are kept with their blobs instead of layers. */
  artifact?: { title: string; digest: Digest; sizeBytes: number }[];
  annotations?: Record<string, string>;
  /** What the signature policy accepted it by; the store keeps them as they are. */
  signatures?: readonly ImageSignature[];
}

/**
 * What becomes of an image's record; undefined stands for none, before and after. Called more than once, the first time to learn what has to be
 * synced, so it only computes.
 */
export type ImageChange = (current: ImageRecord | undefined) => ImageRecord | undefined;

export interface LayerInfo {
  chainId: ChainId;
  diffId: Digest;
  /** Bytes on disk of the unpacked layer. */
  unpackedSizeBytes: number;
}

export interface UnpackProgress {
  /** Bytes of the compressed stream consumed so far. */
  readonly compressedBytes: number;
}

export interface FetchOptions {
  /** Makes the caller leave; where its reason is a DomainError, that is what the call throws, else cancelled. */
  signal: AbortSignal;
  onProgress?: (progress: UnpackProgress) => void;
}

/**
 * A stream of a layer's compressed bytes that the store may reopen from an offset when it breaks. What the stream gives is the store's:
 * it frees the memory of a piece that is all of its buffer.
 */
export interface LayerSource {
  digest: Digest;
  /** Bytes declared by the manifest. More or fewer is an error. */
  sizeBytes: number;
  mediaType: string;
  open(offset: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /**
   * Told that what `open` gave since offset 0 is not the content of the digest: from then on it reads from another place, and the store
   * begins anew at 0. Absent where there is one place only.
   * @throws DomainError naming all places, when none is left
   */
  reject?(reason: string): void;
}

export interface Usage {
  usedBytes: number;
  inodesUsed: number;
}

/** What a mounted container root looks like. */
export interface Rootfs {
  /** Where the merged overlay is mounted. */
  mountPath: string;
  upperPath: string;
}

/** What a container has written into its root. Paths are relative to it. */
export interface RootfsChanges {
  /** Where the root is mounted. */
  mountPath: string;
  /** How many names were added or changed; `listFile` has them, each ended by NUL, directories before their content. */
  changed: number;
  /** What the image has and the container has deleted; of a deleted directory only its own path. */
  deleted: string[];
}

/**
 * Images, layers and the writable layers of containers. Layers are keyed by chain id and shared between images.
 * Everything half-written is recognisable by its place (`staging/`) and swept by `open`.
 */
export interface Storage {
  /** Where images live, for ImageFsInfo and error messages. */
  readonly imageRoot: string;
  readonly containerRoot: string;

  /**
   * What is asked for from now on, layers and blobs, stays until this is disposed of, however long a pull takes and whatever becomes of other
   * images meanwhile.
   */
  keepFetched(): Disposable;
  /** Removes at once what was fetched and is of no image, but for what `keepFetched` keeps: the room is wanted more than a retry's time. */
  dropFetched(): Promise<void>;

  // Layers
  hasLayer(chainId: ChainId): boolean;
  layer(chainId: ChainId): LayerInfo | undefined;
  /**
   * Fetches, verifies (compressed digest, declared size, diff id) and unpacks one layer beside its place, and renames it in. It
   * survives power loss from `updateImage` on. One that no image refers to is removed at the next start, and may be from an hour
   * after it was asked for last, see `keepFetched`.
   * One that was here and is no longer on disk is fetched again. Callers that want the same layer at once share one download, which ends when all have aborted. Layers do not depend on each
   * other: parents may arrive later.
   * A broken stream is resumed from the offset reached, with back-off, at most `retries` times. Wrong content is asked for elsewhere
   * as long as the source knows of another place, see `LayerSource.reject`.
   * @throws DomainError data-loss (digest, size or diff id mismatch, garbage), resource-exhausted (ENOSPC, bomb limits),
   *   invalid-argument (an entry that the layer format forbids), or what `source.open` threw
   */
  addLayer(layer: { chainId: ChainId; diffId: Digest; source: LayerSource }, options: FetchOptions): Promise<LayerInfo>;

  // Blobs of artifacts, and manifests/configs by digest
  putBlob(digest: Digest, bytes: Uint8Array): Promise<void>;
  /** Streams a large blob (artifact layer) in, verified. Joined, resumed, asked for elsewhere and failing as `addLayer`. */
  addBlob(source: LayerSource, options: FetchOptions): Promise<void>;
  readBlob(digest: Digest): Promise<Uint8Array>;
  blobPath(digest: Digest): string;

  // Images. Reads come from memory, always a consistent snapshot; a record is the same object until it is changed.
  images(): readonly ImageRecord[];
  image(id: string): ImageRecord | undefined;
  /**
   * The configurations of the images that were there at the start, by image id, which had to be read then to see that they are whole. Given once: what
   * nobody takes, or asks for later, is read by `readBlob`.
   */
  takeConfigs(): ReadonlyMap<string, Uint8Array>;
  /**
   * Makes the image's record what `change` gives for the record as it is, which nothing else changes meanwhile. A record is written
   * durably, that of a new pull (`pulledAtMs`) after its layers and blobs were synced; the names it takes are taken from other records in the same step. Undefined
   * removes the record, with all layers and blobs that nothing else refers to. The same object leaves everything as it is.
   * @returns the record as it is now
   * @throws DomainError aborted when a layer or blob of a new pull is not there (any more): the image has to be pulled again; what `change` throws
   */
  updateImage(id: string, change: ImageChange): Promise<ImageRecord | undefined>;

  // Container roots: an overlay of an image's layers below and a writable layer on top.
  /**
   * Makes the writable layer and mounts the root at `<runroot>/<containerId>`-like path, read-write.
   * Undone by `unmountRootfs` and `removeRootfs`. `chainIds` from the lowest up; more than a mount option page holds must work.
   * @throws DomainError failed-precondition naming the layers that are lost; images that need them are then no longer here, and a pull fetches
   *   what they lack. The same goes for `mountRootfs` and `mountImage`.
   */
  createRootfs(containerId: string, chainIds: readonly ChainId[], options?: RootView): Promise<Rootfs>;
  /** Mounts again the root of a container made earlier (after a reboot, or an unmount). */
  mountRootfs(containerId: string): Promise<Rootfs>;
  /** Idempotent. */
  unmountRootfs(containerId: string): Promise<void>;
  /** Unmounts and removes the writable layer; idempotent. */
  removeRootfs(containerId: string): Promise<void>;
  /** A path that leads to the container's root while that is mounted; what the container has written is in `diff` beside it. */
  rootfsLink(containerId: string): string;
  /** Ids of all container roots on disk, for sweeping what no record claims. */
  rootfsIds(): Promise<string[]>;
  /** Usage of the writable layer, measured in a worker. */
  rootfsUsage(containerId: string): Promise<Usage>;
  /**
   * Finds, in a worker, what a container has written since it was made; it must not write meanwhile. `ignored` are paths that are left
   * out, such as the places of mounts.
   * @throws DomainError not-found
   */
  rootfsChanges(containerId: string, options: { ignored: readonly string[]; listFile: string }): Promise<RootfsChanges>;
  /**
   * Puts such changes into a mounted root, in a worker: the entries of `archive`, a tar, then without the paths of `deleted`. Neither
   * an entry nor a link in the root leads out of it.
   * @throws DomainError data-loss or invalid-argument for an archive that cannot be used
   */
  applyRootfsChanges(containerId: string, changes: { archive?: string; deleted: readonly string[] }): Promise<void>;
  /**
   * Read-only mount of an image's content (image volumes) at `target`, a directory. Undone by the caller: umount of `target`, and after a
   * crash of all that is mounted below `<target>.lower`, where the layers of a user namespace are for a moment.
   */
  mountImage(chainIds: readonly ChainId[], target: string, options?: RootView): Promise<void>;

  /** True usage of the image store, from sums kept per layer, not from a walk. */
  imageUsage(): Usage;
  containerUsage(): Promise<Usage>;

  /** Stops the workers; work under way fails with `aborted`. Mounts of containers stay. Nothing may be called after it. */
  close(): Promise<void>;
}

/** How an image's files look to the container that gets them. */
export interface RootView {
  /** SELinux label that all of them have. */
  mountLabel?: string;
  /** User namespace whose ids they have. */
  idMap?: IdMap;
}

/** Host and container ids of a user namespace, for idmapped mounts. */
export interface IdMap {
  /** Path of the pinned user namespace. */
  userNamespace: string;
  uids: { hostId: number; containerId: number; length: number }[];
  gids: { hostId: number; containerId: number; length: number }[];
}
