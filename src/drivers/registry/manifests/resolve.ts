import { createBlobSource } from "../blob-source.ts";
import { openBlob } from "../blobs.ts";
import { digestOf, verifyDigest } from "../digest.ts";
import { type SkippedEndpoint, firstThatWorks } from "../first-that-works.ts";
import { configOf } from "./image-config.ts";
import { type ChosenManifest, fetchForPlatform } from "./manifests.ts";
import { mediaTypes } from "./manifest-document.ts";
import { measureLayers } from "./measure-layers.ts";
import { convertSchema1, parseSchema1 } from "./schema1.ts";
import type { Manifest, Platform } from "#spec/oci-image.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ImageReference, ResolvedImage } from "../index.ts";
import type { RegistryLimits } from "../limits.ts";

export interface ResolveSettings {
  /** What the caller asked for; the endpoints may have other names for it. */
  reference: ImageReference;
  platform: Platform;
  limits: RegistryLimits;
  skipped: SkippedEndpoint;
  signal: AbortSignal;
}

/** The manifest in the form berth works with, and its config. */
interface ImageDocuments {
  manifest: Manifest;
  manifestBytes: Uint8Array;
  manifestMediaType: string;
  configBytes: Uint8Array;
}

/** Fetches manifest and config from the first endpoint that has both. @throws as RegistryClient.resolve, unprefixed */
export async function resolveImage(endpoints: readonly Endpoint[], settings: ResolveSettings): Promise<ResolvedImage> {
  const { reference, platform, limits, skipped, signal } = settings;
  return firstThatWorks(endpoints, signal, skipped, async (endpoint, position) => {
    const chosen = await fetchForPlatform(endpoint, platform, limits, signal);
    const documents = await fetchDocuments(endpoint, chosen, settings);
    const config = configOf(documents, documents.configBytes, `the manifest ${chosen.digest}`);
    return {
      reference,
      topDigest: chosen.topDigest,
      manifestDigest: chosen.document.kind === "schema1" ? digestOf(documents.manifestBytes) : chosen.digest,
      ...documents,
      config,
      // What came before this endpoint does not have the image.
      source: createBlobSource(endpoints.slice(position), reference, skipped),
    };
  });
}

function fetchDocuments(
  endpoint: Endpoint,
  chosen: ChosenManifest,
  settings: ResolveSettings,
): Promise<ImageDocuments> {
  return chosen.document.kind === "schema1"
    ? convertDocuments(endpoint, chosen, settings)
    : fetchConfig(endpoint, chosen.document, chosen.bytes, settings);
}

async function fetchConfig(
  endpoint: Endpoint,
  { manifest, mediaType }: { manifest: Manifest; mediaType: string },
  manifestBytes: Uint8Array,
  { limits, signal }: ResolveSettings,
): Promise<ImageDocuments> {
  const { digest, size } = manifest.config;
  const what = `the config ${digest}`;
  const request = { path: `blobs/${digest}`, expect: [200], signal };
  const { bytes: configBytes } = await endpoint.getBytes(request, Math.min(size, limits.configBytes), what);
  verifyDigest(configBytes, digest, what);
  return { manifest, manifestBytes, manifestMediaType: mediaType, configBytes };
}

/**
 * Schema 1 names only the compressed blobs: each is read once to learn its size and diff id, so that everything behind
 * the driver sees an OCI image. Slow, and rare by now.
 */
async function convertDocuments(
  endpoint: Endpoint,
  chosen: ChosenManifest,
  { limits, signal }: ResolveSettings,
): Promise<ImageDocuments> {
  const image = parseSchema1(chosen.bytes, `the manifest ${chosen.digest}`, limits);
  const digests = image.entries.map(({ blob }) => blob).filter((blob) => blob !== undefined);
  const layers = await measureLayers(new Set(digests), limits, signal, (digest) =>
    openBlob(endpoint, digest, 0, signal),
  );
  return { ...convertSchema1(image, layers), manifestMediaType: mediaTypes.ociManifest };
}
