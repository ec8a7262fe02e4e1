import { DomainError } from "#errors/domain-error.ts";
import { digestOf } from "./digest.ts";
import { mediaTypes } from "./manifests/manifest-document.ts";
import { formatReference, parseReference } from "./names/reference.ts";
import type { Descriptor, Digest, ImageConfig, Manifest } from "#spec/oci-image.ts";
import { repositoryName } from "#spec/repository-name.ts";
import type { BlobDownload, ImageReference, RegistryClient, ResolvedImage } from "./index.ts";

/**
 * A registry client without a network, for tests of the domain: resolves the images that were added, by tag and by digest.
 * `failNext` makes the next resolve or open fail; `resolved`, `authFiles` and `opened` tell what was asked for.
 */
export class FakeRegistryClient implements RegistryClient {
  readonly resolved: ImageReference[] = [];
  /** The credential file that came with each resolve. */
  readonly authFiles: (string | undefined)[] = [];
  readonly opened: { digest: Digest; offset: number }[] = [];
  readonly #images = new Map<string, ResolvedImage>();
  readonly #blobs = new Map<Digest, Uint8Array>();
  failNext: Error | undefined;

  /** Adds an image under `name` with uncompressed tars as its layers; returns what resolve will give. */
  addImage(name: string, layers: readonly Uint8Array[], config: Partial<ImageConfig> = {}): ResolvedImage {
    const reference = parseReference(name);
    const diffIds = layers.map((layer) => digestOf(layer));
    const whole: ImageConfig = {
      os: "linux",
      architecture: "amd64",
      ...config,
      rootfs: { type: "layers", diff_ids: diffIds },
    };
    const configBytes = Buffer.from(JSON.stringify(whole));
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: this.#addBlob(mediaTypes.ociConfig, configBytes),
      layers: layers.map((layer) => this.#addBlob(mediaTypes.ociLayer, layer)),
    };
    return this.#addManifest(reference, manifest, configBytes, whole);
  }

  /** Adds what is no image, an artifact or the signatures of an image: blobs with a media type and annotations of their own. */
  addArtifact(
    name: string,
    blobs: readonly { mediaType: string; bytes: Uint8Array; annotations?: Record<string, string> }[],
  ): ResolvedImage {
    const reference = parseReference(name);
    const configBytes = Buffer.from("{}");
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: this.#addBlob("application/vnd.oci.empty.v1+json", configBytes),
      layers: blobs.map(({ mediaType, bytes, annotations }) => ({
        ...this.#addBlob(mediaType, bytes),
        ...(annotations === undefined ? {} : { annotations }),
      })),
    };
    return this.#addManifest(reference, manifest, configBytes, undefined);
  }

  candidates(name: string): ImageReference[] {
    return [parseReference(name)];
  }

  async resolve(
    reference: ImageReference,
    { signal, authFile }: { signal: AbortSignal; authFile?: string },
  ): Promise<ResolvedImage> {
    signal.throwIfAborted();
    this.resolved.push(reference);
    this.authFiles.push(authFile);
    this.#failIfTold();
    const { digest } = reference;
    const key = digest === undefined ? formatReference(reference) : `${repositoryName(reference)}@${digest}`;
    const image = this.#images.get(key);
    if (image === undefined)
      throw new DomainError("not-found", `cannot resolve ${key}: no such image`, {
        facts: { reason: "MANIFEST_UNKNOWN" },
      });
    return { ...image, reference };
  }

  async reload(): Promise<void> {}

  #download(blob: Descriptor): BlobDownload {
    return {
      open: async (offset) => this.#open(blob, offset),
      reject: (reason) => {
        throw new DomainError("data-loss", `blob ${blob.digest}: ${reason}`);
      },
    };
  }

  #open({ digest }: Descriptor, offset: number): ReadableStream<Uint8Array> {
    this.opened.push({ digest, offset });
    this.#failIfTold();
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined)
      throw new DomainError("not-found", `no blob ${digest}`, { facts: { reason: "BLOB_UNKNOWN" } });
    return ReadableStream.from([bytes.subarray(offset)]);
  }

  #addManifest(
    reference: ImageReference,
    manifest: Manifest,
    configBytes: Uint8Array,
    config: ImageConfig | undefined,
  ): ResolvedImage {
    const manifestBytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(manifestBytes);
    const image: ResolvedImage = {
      reference,
      topDigest: digest,
      manifestDigest: digest,
      manifestMediaType: mediaTypes.ociManifest,
      manifestBytes,
      manifest,
      configBytes,
      config,
      source: { download: (blob) => this.#download(blob) },
    };
    this.#images.set(formatReference(reference), image);
    this.#images.set(`${repositoryName(reference)}@${digest}`, image);
    return image;
  }

  #addBlob(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  }

  #failIfTold(): void {
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
  }
}
