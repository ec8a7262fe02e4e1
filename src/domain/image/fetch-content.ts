import { createHash } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import type { ImageReference, ResolvedImage } from "#drivers/registry/index.ts";
import type { ChainId, ImageRecord, LayerSource, Storage } from "#drivers/storage/index.ts";
import { Semaphore } from "#lib/semaphore.ts";
import { settleAll } from "#lib/settle.ts";
import type { Descriptor, Digest, ImageConfig } from "#spec/oci-image.ts";
import { recordName } from "./image-names.ts";
import type { PullObserver } from "./pull-observer.ts";
import type { PullProgress } from "./pull-progress.ts";

/** What fetching needs of a pull. */
export interface FetchContext {
  storage: Storage;
  maxParallelLayerDownloads: number;
  observer: PullObserver;
  progress: PullProgress;
  signal: AbortSignal;
}

/** A record without the names. Of an image the id is the configuration's digest, of what is none the manifest's. */
export type Content = Omit<ImageRecord, "repoTags" | "repoDigests">;

/**
 * Fetches into the store the manifest and all that it lists: an image's configuration and layers, or the blobs of what is no image.
 * @throws DomainError invalid-argument, before anything is fetched, for what could have no id; what the registry and the storage say
 */
export async function fetchContent(context: FetchContext, resolved: ResolvedImage): Promise<Content> {
  const { storage } = context;
  const { config, manifest } = resolved;
  const id = imageId(resolved.reference, config === undefined ? resolved.manifestDigest : manifest.config.digest);
  // Before the layers, so that one sync at their end covers all.
  await storage.putBlob(resolved.manifestDigest, resolved.manifestBytes);
  if (config === undefined) return { id, ...(await fetchArtifact(context, resolved)) };
  await storage.putBlob(manifest.config.digest, resolved.configBytes);
  return { id, ...(await fetchLayers(context, resolved, config)) };
}

/** The hex of the digest. Clients and the store know ids of 64 digits only. */
function imageId(reference: ImageReference, digest: Digest): string {
  if (digest.startsWith("sha256:")) return hexOf(digest);
  throw new DomainError(
    "invalid-argument",
    `image ${recordName(reference)}: the digest ${digest} would be its id, which has to be sha256`,
  );
}

async function fetchLayers(
  context: FetchContext,
  resolved: ResolvedImage,
  config: ImageConfig,
): Promise<Omit<Content, "id">> {
  const { layers } = resolved.manifest;
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    throw new DomainError(
      "invalid-argument",
      `image ${recordName(resolved.reference)}: its manifest lists ${layers.length} layers, its configuration ${diffIds.length}`,
    );
  }
  const chainIds = chainIdsOf(diffIds);
  const infos = await inParallel(context, resolved, layers, (layer, index, abort) => {
    const ids = { diffId: diffIds[index] ?? layer.digest, chainId: chainIds[index] ?? layer.digest };
    return fetchLayer(context, resolved, { layer, ...ids }, abort);
  });
  return {
    ...commonContent(resolved),
    chainIds,
    unpackedSizeBytes: infos.reduce((sum, info) => sum + info.unpackedSizeBytes, 0),
  };
}

function commonContent(
  resolved: ResolvedImage,
): Pick<Content, "manifestDigest" | "manifestMediaType" | "compressedSizeBytes" | "pulledAtMs" | "annotations"> {
  const { manifest } = resolved;
  return {
    manifestDigest: resolved.manifestDigest,
    manifestMediaType: resolved.manifestMediaType,
    compressedSizeBytes: manifest.config.size + manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    pulledAtMs: Date.now(),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}

/** Runs `fetch` for all layers, bounded; the first failure stops the others, which are waited for. */
async function inParallel<T>(
  context: FetchContext,
  resolved: ResolvedImage,
  layers: readonly Descriptor[],
  fetch: (layer: Descriptor, index: number, abort: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const semaphore = new Semaphore(context.maxParallelLayerDownloads);
  const failed = new AbortController();
  const abort = AbortSignal.any([context.signal, failed.signal]);
  let firstFailure: unknown;
  const fetches = layers.map((layer, index) =>
    semaphore.run(async () => {
      try {
        abort.throwIfAborted();
        return await fetch(layer, index, abort);
      } catch (error) {
        firstFailure ??= error;
        failed.abort(error);
        throw error;
      }
    }),
  );
  try {
    return await settleAll<T[]>(fetches);
  } catch (error) {
    if (!(firstFailure instanceof DomainError)) throw error;
    throw new DomainError(firstFailure.kind, `image ${recordName(resolved.reference)}: ${firstFailure.message}`, {
      cause: firstFailure,
      facts: firstFailure.facts,
    });
  }
}

async function fetchLayer(
  { storage, progress, observer }: FetchContext,
  resolved: ResolvedImage,
  { layer, diffId, chainId }: { layer: Descriptor; diffId: Digest; chainId: ChainId },
  signal: AbortSignal,
) {
  const report = (state: "fetching" | "done" | "present", doneBytes: number): void =>
    progress.set({ digest: layer.digest, doneBytes, totalBytes: layer.size, state });
  const present = storage.hasLayer(chainId);
  report(present ? "present" : "fetching", present ? layer.size : 0);
  let fetched = !present;
  const onProgress = ({ compressedBytes }: { compressedBytes: number }): void => {
    // A layer that was here may turn out to be lost.
    fetched = true;
    report("fetching", compressedBytes);
  };
  const info = await storage.addLayer({ chainId, diffId, source: sourceOf(resolved, layer) }, { signal, onProgress });
  if (!fetched) observer.layerPresent(layer);
  else {
    report("done", layer.size);
    observer.layerFetched(layer);
  }
  return info;
}

function sourceOf(resolved: ResolvedImage, layer: Descriptor): LayerSource {
  const download = resolved.source.download(layer);
  return {
    digest: layer.digest,
    sizeBytes: layer.size,
    mediaType: layer.mediaType,
    open: (offset, abort) => download.open(offset, abort),
    reject: (reason) => download.reject(reason),
  };
}

/** What is no image keeps its layers as the blobs that they are, under the names that their annotations give them. */
async function fetchArtifact(context: FetchContext, resolved: ResolvedImage): Promise<Omit<Content, "id">> {
  const { storage, progress, observer } = context;
  const { layers } = resolved.manifest;
  await inParallel(context, resolved, layers, async (layer, _index, abort) => {
    const report = (state: "fetching" | "done", doneBytes: number): void =>
      progress.set({ digest: layer.digest, doneBytes, totalBytes: layer.size, state });
    report("fetching", 0);
    await storage.addBlob(sourceOf(resolved, layer), {
      signal: abort,
      onProgress: ({ compressedBytes }) => report("fetching", compressedBytes),
    });
    report("done", layer.size);
    observer.layerFetched(layer);
  });
  return {
    ...commonContent(resolved),
    chainIds: [],
    unpackedSizeBytes: layers.reduce((sum, layer) => sum + layer.size, 0),
    artifact: layers.map((layer) => ({
      title: titleOf(layer),
      digest: layer.digest,
      sizeBytes: layer.size,
    })),
  };
}

/** The file's name: as ORAS writes it, as the CNCF's model format does, or for want of one the digest. */
function titleOf(layer: Descriptor): string {
  const { annotations = {} } = layer;
  return annotations["org.opencontainers.image.title"] ?? annotations["org.cncf.model.filepath"] ?? hexOf(layer.digest);
}

/** image-spec config.md, "Layer ChainID". */
function chainIdsOf(diffIds: readonly Digest[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(
      parent === undefined ? diffId : `sha256:${createHash("sha256").update(`${parent} ${diffId}`).digest("hex")}`,
    );
  }
  return chain;
}

function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}
