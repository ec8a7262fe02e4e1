import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { tarOf, type TarPart } from "./tar.ts";

export type Compression = "gzip" | "zstd" | "none";
export type Format = "oci" | "docker";

/** A piece of content as a registry keeps it. */
export interface Content {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

export interface LayerInput {
  entries: readonly TarPart[];
  /** gzip unless said otherwise. */
  compression?: Compression;
}

/** The `config` object of an OCI image configuration. */
export interface RunDefaults {
  Env?: string[];
  Cmd?: string[];
  Entrypoint?: string[];
  User?: string;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  ExposedPorts?: Record<string, object>;
  Volumes?: Record<string, object>;
}

export interface PlatformInput {
  os: string;
  architecture: string;
  variant?: string;
}

export interface ImageInput {
  /** oci unless said otherwise. */
  format?: Format;
  layers: readonly LayerInput[];
  config?: RunDefaults;
  /** The platform of this machine unless said otherwise. */
  platform?: PlatformInput;
}

export interface BuiltImage {
  format: Format;
  manifest: Content;
  config: Content;
  layers: Content[];
  /** Digests of the uncompressed layers. */
  diffIds: string[];
  platform: PlatformInput;
}

export interface BuiltIndex {
  manifest: Content;
  images: readonly BuiltImage[];
}

const mediaTypes = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  },
} as const;

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export const hostPlatform: PlatformInput = {
  os: "linux",
  architecture: architectures[process.arch] ?? process.arch,
};

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function content(mediaType: string, bytes: Buffer): Content {
  return { digest: sha256(bytes), mediaType, bytes };
}

/** Makes the layers, the configuration and the manifest of one image; the same input gives the same digests. */
export function buildImage(input: ImageInput): BuiltImage {
  const format = input.format ?? "oci";
  const types = mediaTypes[format];
  const platform = input.platform ?? hostPlatform;
  const tars = input.layers.map((layer) => tarOf(layer.entries));
  const layers = input.layers.map((layer, index) => {
    const compression = layer.compression ?? "gzip";
    return content(types[compression], compress(tars[index] ?? Buffer.alloc(0), compression));
  });
  const diffIds = tars.map(sha256);
  const config = content(types.config, json(imageConfig(input, platform, diffIds)));
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(config),
    layers: layers.map(descriptor),
  };
  return { format, manifest: content(types.manifest, json(manifest)), config, layers, diffIds, platform };
}

/** An OCI index, or a Docker manifest list, of images for different platforms. */
export function buildIndex(images: readonly BuiltImage[], format: Format = "oci"): BuiltIndex {
  const mediaType = mediaTypes[format].index;
  const manifests = images.map(({ manifest, platform }) => ({ ...descriptor(manifest), platform }));
  return { manifest: content(mediaType, json({ schemaVersion: 2, mediaType, manifests })), images };
}

/** The same image with other manifest text: to lie about sizes and digests. */
export function withManifest(image: BuiltImage, change: (manifest: ManifestText) => void): BuiltImage {
  const manifest = JSON.parse(image.manifest.bytes.toString("utf8")) as ManifestText;
  change(manifest);
  return { ...image, manifest: content(image.manifest.mediaType, json(manifest)) };
}

export interface ManifestText {
  config: DescriptorText;
  layers: DescriptorText[];
}

export interface DescriptorText {
  mediaType: string;
  digest: string;
  size: number;
}

function imageConfig(input: ImageInput, platform: PlatformInput, diffIds: readonly string[]): object {
  return {
    created: "2024-01-01T00:00:00Z",
    ...platform,
    config: input.config ?? {},
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map((_, index) => ({ created: "2024-01-01T00:00:00Z", created_by: `test layer ${index}` })),
  };
}

function compress(bytes: Buffer, compression: Compression): Buffer {
  switch (compression) {
    case "gzip":
      return gzipSync(bytes);
    case "zstd":
      return zstdCompressSync(bytes);
    case "none":
      return bytes;
  }
}

function descriptor({ mediaType, digest, bytes }: Content): DescriptorText {
  return { mediaType, digest, size: bytes.length };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 2));
}

/** What ORAS pushes: files as they are, each a layer with its name as an annotation. */
export function buildArtifact(files: Readonly<Record<string, string>>): BuiltImage {
  const config = content("application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const named = Object.entries(files).map(([title, text]) => ({
    blob: content("application/octet-stream", Buffer.from(text)),
    annotations: { "org.opencontainers.image.title": title },
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.oci.manifest,
    artifactType: "application/vnd.example.files",
    config: descriptor(config),
    layers: named.map(({ blob, annotations }) => ({ ...descriptor(blob), annotations })),
  };
  return artifact(
    manifest,
    config,
    named.map(({ blob }) => blob),
  );
}

/** What cosign puts beside an image: signed texts and their signatures. */
export function buildSignatures(signed: readonly { payload: Buffer; signature: Buffer }[]): BuiltImage {
  const payloads = signed.map(({ payload }) => content("application/vnd.dev.cosign.simplesigning.v1+json", payload));
  const rootfs = { type: "layers", diff_ids: payloads.map(({ digest }) => digest) };
  const config = content(mediaTypes.oci.config, json({ architecture: "", os: "", config: {}, rootfs }));
  const layers = payloads.map((payload, index) => ({
    ...descriptor(payload),
    annotations: { "dev.cosignproject.cosign/signature": signed[index]?.signature.toString("base64") },
  }));
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.oci.manifest, config: descriptor(config), layers };
  return artifact(manifest, config, payloads);
}

function artifact(manifest: object, config: Content, layers: Content[]): BuiltImage {
  return {
    format: "oci",
    manifest: content(mediaTypes.oci.manifest, json(manifest)),
    config,
    layers,
    diffIds: [],
    platform: hostPlatform,
  };
}
