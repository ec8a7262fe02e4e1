import { DomainError } from "#errors/domain-error.ts";
import { isDigest } from "#spec/digest.ts";
import { parseObject, requireObject } from "#spec/json-object.ts";
import type { Descriptor, Index, Manifest, Platform } from "#spec/oci-image.ts";
import type { RegistryLimits } from "../limits.ts";

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  schema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
  schema1: "application/vnd.docker.distribution.manifest.v1+json",
} as const;

/** The manifest types that are asked for. */
export const manifestAccept: string = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.schema1Signed,
  mediaTypes.schema1,
].join(", ");

/** What a registry serves as a manifest, once it is understood. */
export type ManifestDocument =
  | { kind: "index"; mediaType: string; index: Index }
  | { kind: "manifest"; mediaType: string; manifest: Manifest }
  /** Docker's first format; its content is checked by schema1.ts. */
  | { kind: "schema1" };

/**
 * Parses a manifest or index and checks its shape. What it is, is read from its content, since registries are careless with
 * the Content-Type; a document that could be read as both kinds is refused (CVE-2021-41190).
 * @throws DomainError invalid-argument naming `what`
 */
export function parseManifestDocument(
  bytes: Uint8Array,
  contentType: string | undefined,
  what: string,
  limits: RegistryLimits,
): ManifestDocument {
  try {
    const document = parseObject(bytes);
    if (document["schemaVersion"] === 1) return { kind: "schema1" };
    if (document["schemaVersion"] !== 2)
      throw new Error(`schemaVersion is ${JSON.stringify(document["schemaVersion"])}`);
    const isIndex = Array.isArray(document["manifests"]);
    if (isIndex && (document["config"] !== undefined || document["layers"] !== undefined))
      throw new Error("it has the fields of both an index and a manifest");
    const mediaType = chooseMediaType(document["mediaType"], contentType, isIndex);
    if (isIndex) return { kind: "index", mediaType, index: readIndex(document) };
    return { kind: "manifest", mediaType, manifest: readManifest(document, limits) };
  } catch (error) {
    throw invalidManifest(what, error);
  }
}

export function invalidManifest(what: string, cause: unknown): DomainError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DomainError("invalid-argument", `${what} is not a usable manifest: ${why}`, {
    facts: { reason: "UNKNOWN" },
    cause,
  });
}

function chooseMediaType(own: unknown, contentType: string | undefined, isIndex: boolean): string {
  const known: string[] = isIndex
    ? [mediaTypes.ociIndex, mediaTypes.dockerList]
    : [mediaTypes.ociManifest, mediaTypes.dockerManifest];
  if (own !== undefined && own !== "") {
    if (typeof own === "string" && known.includes(own)) return own;
    throw new Error(`mediaType ${JSON.stringify(own)} does not fit its content`);
  }
  const served = contentType?.split(";")[0]?.trim() ?? "";
  return known.includes(served) ? served : (known[0] ?? served);
}

function readIndex(document: Record<string, unknown>): Index {
  const index: Index = { schemaVersion: 2, manifests: readDescriptors(document["manifests"], "manifests") };
  if (typeof document["mediaType"] === "string") index.mediaType = document["mediaType"];
  if (document["annotations"] !== undefined) index.annotations = readStringMap(document["annotations"], "annotations");
  return index;
}

function readManifest(document: Record<string, unknown>, limits: RegistryLimits): Manifest {
  const manifest: Manifest = {
    schemaVersion: 2,
    config: readDescriptor(document["config"], "config"),
    // Artifacts without content come with null.
    layers: readDescriptors(document["layers"] ?? [], "layers"),
  };
  if (typeof document["mediaType"] === "string") manifest.mediaType = document["mediaType"];
  if (typeof document["artifactType"] === "string") manifest.artifactType = document["artifactType"];
  if (document["annotations"]) manifest.annotations = readStringMap(document["annotations"], "annotations");
  checkLimits(manifest, limits);
  return manifest;
}

function checkLimits({ config, layers }: Manifest, limits: RegistryLimits): void {
  if (config.size > limits.configBytes)
    throw new Error(`its config has ${config.size} bytes, more than ${limits.configBytes}`);
  if (layers.length > limits.layers) throw new Error(`it has ${layers.length} layers, more than ${limits.layers}`);
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  if (total > limits.totalLayerBytes)
    throw new Error(`its layers have ${total} bytes, more than ${limits.totalLayerBytes}`);
}

function readDescriptors(value: unknown, name: string): Descriptor[] {
  if (!Array.isArray(value)) throw new Error(`${name} is not a list`);
  return value.map((item: unknown, position) => readDescriptor(item, `${name}[${position}]`));
}

function readDescriptor(value: unknown, name: string): Descriptor {
  const fields = requireObject(value, name);
  const { mediaType, digest, size } = fields;
  if (typeof mediaType !== "string") throw new Error(`${name} has no mediaType`);
  if (!isDigest(digest)) throw new Error(`${name} has the digest ${JSON.stringify(digest)}, which cannot be checked`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw new Error(`${name} has the size ${JSON.stringify(size)}`);
  const descriptor: Descriptor = { mediaType, digest, size };
  if (isStrings(fields["urls"])) descriptor.urls = fields["urls"];
  if (fields["annotations"]) descriptor.annotations = readStringMap(fields["annotations"], `${name}.annotations`);
  if (fields["platform"]) descriptor.platform = readPlatform(fields["platform"], `${name}.platform`);
  if (typeof fields["artifactType"] === "string") descriptor.artifactType = fields["artifactType"];
  return descriptor;
}

function readPlatform(value: unknown, name: string): Platform {
  const fields = requireObject(value, name);
  const { architecture, os, variant } = fields;
  if (typeof architecture !== "string" || typeof os !== "string") throw new Error(`${name} lacks os or architecture`);
  const platform: Platform = { architecture, os };
  if (typeof variant === "string" && variant !== "") platform.variant = variant;
  if (typeof fields["os.version"] === "string") platform["os.version"] = fields["os.version"];
  if (isStrings(fields["os.features"])) platform["os.features"] = fields["os.features"];
  return platform;
}

function readStringMap(value: unknown, name: string): Record<string, string> {
  const map: Record<string, string> = {};
  for (const [key, text] of Object.entries(requireObject(value ?? {}, name))) {
    if (typeof text !== "string") throw new Error(`${name} has a value that is not a string`);
    map[key] = text;
  }
  return map;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
