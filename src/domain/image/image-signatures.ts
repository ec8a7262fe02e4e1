import { hash } from "node:crypto";
import { kindOf } from "#errors/domain-error.ts";
import type { ImageReference, RegistryClient, ResolvedImage } from "#drivers/registry/index.ts";
import type { SignaturePolicies } from "#drivers/signature-policy/index.ts";
import type { ImageRecord } from "#drivers/storage/index.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import type { Descriptor, Digest } from "#spec/oci-image.ts";

/** What cosign calls the text that it signs, and where it puts the signature. */
const payloadMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
const signatureAnnotation = "dev.cosignproject.cosign/signature";
/** What else it puts beside that, when there is a log or a certificate. */
const furtherAnnotations = [
  "dev.sigstore.cosign/bundle",
  "dev.sigstore.cosign/certificate",
  "dev.sigstore.cosign/chain",
] as const;
/** Of one signed text; they have some hundred bytes. */
const mostPayloadBytes = 1024 * 1024;
const mostSignatures = 128;
/** Of all of an image together: a registry that nobody trusts yet must not fill the memory. */
const mostPayloadsBytes = 8 * 1024 * 1024;

type ResolveOptions = Parameters<RegistryClient["resolve"]>[1];

interface ImageToCheck {
  reference: ImageReference;
  /** Of the manifest, and of the index it came from. */
  digests: readonly Digest[];
  namespace: string;
  known: readonly ImageSignature[];
}

/**
 * Asks the signature policy about an image; gives the signatures that it was accepted by.
 * @throws DomainError as `SignaturePolicies.check`
 */
export function checkSignatures(
  drivers: { registry: RegistryClient; policies: SignaturePolicies },
  { reference, ...image }: ImageToCheck,
  options: ResolveOptions,
): Promise<readonly ImageSignature[]> {
  return drivers.policies.check({
    name: reference,
    ...image,
    attachments: (digest) => readAttachments(drivers.registry, reference, digest, options),
    signal: options.signal,
  });
}

/**
 * The record with these signatures too, each once; the same object when it has them all. They stay with the image, so that it can be checked
 * again when its registry cannot be reached.
 */
export function withSignatures(record: ImageRecord, added: readonly ImageSignature[]): ImageRecord {
  const existing = record.signatures ?? [];
  const byText = new Map([...existing, ...added].map((signature) => [JSON.stringify(signature), signature]));
  return byText.size === existing.length ? record : { ...record, signatures: [...byText.values()] };
}

/** Signatures that cosign keeps beside an image: the layers of a manifest with the tag `sha256-<hex>.sig`. */
async function readAttachments(
  registry: RegistryClient,
  { registry: host, repository }: ImageReference,
  digest: Digest,
  options: ResolveOptions,
): Promise<ImageSignature[]> {
  const reference = { registry: host, repository, tag: `${digest.replace(":", "-")}.sig` };
  let resolved: ResolvedImage;
  try {
    resolved = await registry.resolve(reference, options);
  } catch (error) {
    if (kindOf(error) === "not-found") return [];
    throw error;
  }
  const layers = resolved.manifest.layers.filter(
    ({ mediaType, size }) => mediaType === payloadMediaType && size <= mostPayloadBytes,
  );
  const found: ImageSignature[] = [];
  let leftBytes = mostPayloadsBytes;
  for (const layer of layers.slice(0, mostSignatures)) {
    const signature = layer.annotations?.[signatureAnnotation];
    if (signature === undefined) continue;
    leftBytes -= layer.size;
    if (leftBytes < 0) break;
    const payload = await readPayload(resolved, layer, options.signal);
    const further = (name: string): string | undefined => layer.annotations?.[name];
    const [rekorBundle, certificate, chain] = furtherAnnotations.map(further);
    found.push({
      kind: "sigstore",
      digest,
      payload: payload.toString("base64"),
      signature,
      ...(rekorBundle === undefined ? {} : { rekorBundle }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(chain === undefined ? {} : { chain }),
    });
  }
  return found;
}

/** As long as its descriptor says, which the source sees to, and with its digest. @throws DomainError data-loss; what the source says */
async function readPayload(resolved: ResolvedImage, layer: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const download = resolved.source.download(layer);
  const algorithm = layer.digest.slice(0, layer.digest.indexOf(":"));
  for (;;) {
    const bytes = Buffer.concat(await Array.fromAsync(await download.open(0, signal)));
    const found = `${algorithm}:${hash(algorithm, bytes)}`;
    if (found === layer.digest) return bytes;
    download.reject(`the signed text has digest ${found}, not ${layer.digest}`);
  }
}
