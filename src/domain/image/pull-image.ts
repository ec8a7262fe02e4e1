import { createHash } from "node:crypto";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import type { ImageReference, RegistryClient, ResolvedImage } from "#drivers/registry/index.ts";
import type { ChainId, ImageRecord, Storage } from "#drivers/storage/index.ts";
import { Semaphore } from "#lib/semaphore.ts";
import { settleAll } from "#lib/settle.ts";
import type { Logger } from "#observability/logger.ts";
import type { Descriptor, Digest, ImageConfig, Platform } from "#spec/oci-image.ts";
import type { PullRequest } from "./image.ts";
import { recordName, repositoryOf, tagName } from "./image-names.ts";
import type { PullProgress } from "./pull-progress.ts";

export interface PullSettings {
  maxParallelLayerDownloads: number;
  /** undefined for the machine's own. */
  platform: Platform | undefined;
}

export interface PullDrivers {
  registry: RegistryClient;
  storage: Storage;
  settings: PullSettings;
  logger: Logger;
}

/**
 * Fetches an image and gives its record. The names that a short name may mean are tried in order.
 * @throws DomainError as the registry and the storage say; for several candidates one that tells what failed where
 */
export async function pullImage(
  drivers: PullDrivers,
  request: PullRequest,
  progress: PullProgress,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const failures: { reference: ImageReference; error: unknown }[] = [];
  for (const reference of drivers.registry.candidates(request.image)) {
    try {
      const resolved = await drivers.registry.resolve(reference, {
        auth: request.auth,
        signal,
        ...(drivers.settings.platform === undefined ? {} : { platform: drivers.settings.platform }),
      });
      return await fetchResolved(drivers, resolved, progress, signal);
    } catch (error) {
      failures.push({ reference, error });
    }
  }
  throw pullError(request.image, failures);
}

function pullError(image: string, failures: readonly { reference: ImageReference; error: unknown }[]): unknown {
  const [first] = failures;
  if (first === undefined)
    return new DomainError("invalid-argument", `image ${image}: no registry is configured to look it up in`);
  if (failures.length === 1) return first.error;
  const list = failures.map(({ reference, error }) => `${recordName(reference)}: ${messageOf(error)}`);
  return new DomainError(kindOf(first.error), `image ${image} could not be pulled: ${list.join("; ")}`, {
    cause: first.error,
  });
}

async function fetchResolved(
  drivers: PullDrivers,
  resolved: ResolvedImage,
  progress: PullProgress,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const { storage } = drivers;
  const content =
    resolved.config === undefined
      ? await fetchArtifact(drivers, resolved, progress, signal)
      : await fetchLayers(drivers, resolved, resolved.config, progress, signal);
  await storage.putBlob(resolved.manifestDigest, resolved.manifestBytes);
  await storage.putBlob(resolved.manifest.config.digest, resolved.configBytes);
  const record = { ...content, ...names(resolved, storage.image(content.id)) };
  await storage.putImage(record);
  return record;
}

type Content = Omit<ImageRecord, "repoTags" | "repoDigests">;

async function fetchLayers(
  drivers: PullDrivers,
  resolved: ResolvedImage,
  config: ImageConfig,
  progress: PullProgress,
  signal: AbortSignal,
): Promise<Content> {
  const { layers } = resolved.manifest;
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    throw new DomainError(
      "invalid-argument",
      `image ${recordName(resolved.reference)}: its manifest lists ${layers.length} layers, its configuration ${diffIds.length}`,
    );
  }
  const chainIds = chainIdsOf(diffIds);
  const infos = await inParallel(drivers, resolved, layers, signal, async (layer, index, abort) =>
    fetchLayer(
      drivers,
      resolved,
      { layer, diffId: diffIds[index] ?? layer.digest, chainId: chainIds[index] ?? layer.digest },
      progress,
      abort,
    ),
  );
  return {
    ...commonContent(resolved),
    id: hexOf(resolved.manifest.config.digest),
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
  drivers: PullDrivers,
  resolved: ResolvedImage,
  layers: readonly Descriptor[],
  signal: AbortSignal,
  fetch: (layer: Descriptor, index: number, abort: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const semaphore = new Semaphore(drivers.settings.maxParallelLayerDownloads);
  const failed = new AbortController();
  const abort = AbortSignal.any([signal, failed.signal]);
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
  drivers: PullDrivers,
  resolved: ResolvedImage,
  { layer, diffId, chainId }: { layer: Descriptor; diffId: Digest; chainId: ChainId },
  progress: PullProgress,
  signal: AbortSignal,
) {
  const report = (state: "fetching" | "done" | "present", doneBytes: number): void =>
    progress.set({ digest: layer.digest, doneBytes, totalBytes: layer.size, state });
  const present = drivers.storage.hasLayer(chainId);
  report(present ? "present" : "fetching", present ? layer.size : 0);
  const info = await drivers.storage.addLayer(
    { chainId, diffId, source: sourceOf(resolved, layer) },
    { signal, onProgress: ({ compressedBytes }) => report("fetching", compressedBytes) },
  );
  if (!present) report("done", layer.size);
  return info;
}

function sourceOf(resolved: ResolvedImage, layer: Descriptor) {
  return {
    digest: layer.digest,
    sizeBytes: layer.size,
    mediaType: layer.mediaType,
    open: (offset: number, abort: AbortSignal) => resolved.source.open(layer, offset, abort),
  };
}

/** What is no image keeps its layers as the blobs that they are, under the names that their annotations give them. */
async function fetchArtifact(
  drivers: PullDrivers,
  resolved: ResolvedImage,
  progress: PullProgress,
  signal: AbortSignal,
): Promise<Content> {
  const { layers } = resolved.manifest;
  await inParallel(drivers, resolved, layers, signal, async (layer, _index, abort) => {
    progress.set({ digest: layer.digest, doneBytes: 0, totalBytes: layer.size, state: "fetching" });
    await drivers.storage.addBlob(sourceOf(resolved, layer), { signal: abort });
    progress.set({ digest: layer.digest, doneBytes: layer.size, totalBytes: layer.size, state: "done" });
  });
  return {
    ...commonContent(resolved),
    id: hexOf(resolved.manifestDigest),
    chainIds: [],
    unpackedSizeBytes: layers.reduce((sum, layer) => sum + layer.size, 0),
    artifact: layers.map((layer) => ({
      title: layer.annotations?.["org.opencontainers.image.title"] ?? hexOf(layer.digest),
      digest: layer.digest,
      sizeBytes: layer.size,
    })),
  };
}

/** The names an image has after this pull: those it had, and those by which it was asked for now. */
function names(
  resolved: ResolvedImage,
  existing: ImageRecord | undefined,
): Pick<ImageRecord, "repoTags" | "repoDigests"> {
  const { reference, topDigest } = resolved;
  // A reference by digest names no tag, even when it has one: the tag may point elsewhere by now.
  const tag = reference.digest === undefined ? tagName({ ...reference, tag: reference.tag ?? "latest" }) : undefined;
  const digests = new Set([topDigest, resolved.manifestDigest].map((digest) => `${repositoryOf(reference)}@${digest}`));
  return {
    repoTags: [...new Set([...(existing?.repoTags ?? []), ...(tag === undefined ? [] : [tag])])],
    repoDigests: [...new Set([...(existing?.repoDigests ?? []), ...digests])],
  };
}

/** image-spec config.md, "Layer ChainID". */
export function chainIdsOf(diffIds: readonly Digest[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(
      parent === undefined ? diffId : `sha256:${createHash("sha256").update(`${parent} ${diffId}`).digest("hex")}`,
    );
  }
  return chain;
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}
