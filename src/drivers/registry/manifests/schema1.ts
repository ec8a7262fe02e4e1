import { isDigest } from "#spec/digest.ts";
import { parseObject, requireObject } from "#spec/json-object.ts";
import { digestOf } from "../digest.ts";
import { invalidManifest, mediaTypes } from "./manifest-document.ts";
import type { Digest, ImageConfig, Manifest } from "#spec/oci-image.ts";
import type { RegistryLimits } from "../limits.ts";

/** Docker's first manifest format, as far as it says what the image is. Lists have the base layer first. */
export interface Schema1Image {
  /** One entry for each history entry; `blob` is undefined for entries that hold no files. */
  entries: { blob: Digest | undefined; history: NonNullable<ImageConfig["history"]>[number] }[];
  /** The config of the newest entry, still without rootfs. */
  config: Record<string, unknown>;
}

/** A layer whose diff id and sizes have been found by reading it. */
export interface MeasuredLayer {
  digest: Digest;
  sizeBytes: number;
  diffId: Digest;
  gzip: boolean;
}

/**
 * The bytes that the content digest of a schema 1 manifest is about. In a signed one (a JWS in its JSON form) the
 * signatures are cut out: `formatLength` says how much of the document comes before them, `formatTail` what follows.
 * @throws DomainError invalid-argument naming `what`
 */
export function schema1Payload(bytes: Uint8Array, what: string): Uint8Array {
  try {
    const { signatures } = parseObject(bytes);
    if (!Array.isArray(signatures) || signatures.length === 0) return bytes;
    const payloads = signatures.map((signature: unknown) => payloadOf(bytes, requireObject(signature, "signature")));
    const [first = bytes] = payloads;
    if (!payloads.every((payload) => Buffer.compare(payload, first) === 0))
      throw new Error("its signatures are about different documents");
    return first;
  } catch (error) {
    throw invalidManifest(what, error);
  }
}

/** @throws DomainError invalid-argument naming `what` */
export function parseSchema1(payload: Uint8Array, what: string, limits: RegistryLimits): Schema1Image {
  try {
    const { fsLayers, history } = parseObject(payload);
    if (!Array.isArray(fsLayers) || !Array.isArray(history) || fsLayers.length !== history.length)
      throw new Error("fsLayers and history do not have the same length");
    if (fsLayers.length === 0) throw new Error("it has no layers");
    if (fsLayers.length > limits.layers)
      throw new Error(`it has ${fsLayers.length} layers, more than ${limits.layers}`);
    // The newest layer comes first there; its v1 config is the image's.
    const newest = readV1(history[0]);
    const entries = history.map((item: unknown, position) => readEntry(readV1(item), fsLayers[position]));
    return { entries: entries.reverse(), config: newest };
  } catch (error) {
    throw invalidManifest(what, error);
  }
}

/** The OCI manifest and config that mean the same image; equal input gives equal bytes, hence equal digests. */
export function convertSchema1(
  image: Schema1Image,
  layers: ReadonlyMap<Digest, MeasuredLayer>,
): { manifest: Manifest; manifestBytes: Uint8Array; configBytes: Uint8Array } {
  const blobs = image.entries.map(({ blob }) => blob).filter((blob) => blob !== undefined);
  const measured = blobs.map((blob) => layers.get(blob)).filter((layer) => layer !== undefined);
  const { created, author, architecture, os, variant, config } = image.config;
  const configBytes = encode({
    created,
    author,
    architecture: architecture ?? "amd64",
    os: os ?? "linux",
    variant,
    config,
    rootfs: { type: "layers", diff_ids: measured.map(({ diffId }) => diffId) },
    history: image.entries.map(({ history }) => history),
  });
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(configBytes), size: configBytes.byteLength },
    layers: measured.map(({ digest, sizeBytes, gzip }) => ({
      mediaType: gzip ? `${mediaTypes.ociLayer}+gzip` : mediaTypes.ociLayer,
      digest,
      size: sizeBytes,
    })),
  };
  return { manifest, manifestBytes: encode(manifest), configBytes };
}

function payloadOf(bytes: Uint8Array, signature: Record<string, unknown>): Uint8Array {
  if (typeof signature["protected"] !== "string") throw new Error("a signature has no protected header");
  const { formatLength, formatTail } = parseObject(Buffer.from(signature["protected"], "base64url"));
  const fits = typeof formatLength === "number" && Number.isSafeInteger(formatLength) && formatLength >= 0;
  if (!fits || formatLength > bytes.byteLength || typeof formatTail !== "string")
    throw new Error("a signature's protected header has no usable formatLength and formatTail");
  return Buffer.concat([bytes.subarray(0, formatLength), Buffer.from(formatTail, "base64url")]);
}

function readV1(item: unknown): Record<string, unknown> {
  const { v1Compatibility } = requireObject(item, "history");
  if (typeof v1Compatibility !== "string") throw new Error("a history entry has no v1Compatibility");
  return parseObject(Buffer.from(v1Compatibility));
}

function readEntry(v1: Record<string, unknown>, fsLayer: unknown): Schema1Image["entries"][number] {
  const { blobSum } = requireObject(fsLayer, "fsLayers");
  if (!isDigest(blobSum)) throw new Error(`the blobSum ${JSON.stringify(blobSum)} cannot be checked`);
  const history: NonNullable<ImageConfig["history"]>[number] = {};
  if (typeof v1["created"] === "string") history.created = v1["created"];
  if (typeof v1["author"] === "string") history.author = v1["author"];
  if (typeof v1["comment"] === "string" && v1["comment"] !== "") history.comment = v1["comment"];
  const createdBy = commandOf(v1["container_config"]);
  if (createdBy !== undefined) history.created_by = createdBy;
  if (v1["throwaway"] !== true) return { blob: blobSum, history };
  return { blob: undefined, history: { ...history, empty_layer: true } };
}

function commandOf(containerConfig: unknown): string | undefined {
  if (typeof containerConfig !== "object" || containerConfig === null || !("Cmd" in containerConfig)) return undefined;
  return Array.isArray(containerConfig.Cmd) ? containerConfig.Cmd.join(" ") : undefined;
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
