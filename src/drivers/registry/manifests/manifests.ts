import { DomainError } from "#errors/domain-error.ts";
import { isDigest } from "#spec/digest.ts";
import { algorithmOf, digestOf, verifyDigest } from "../digest.ts";
import { type ManifestDocument, manifestAccept, parseManifestDocument } from "./manifest-document.ts";
import { formatPlatform, selectPlatform } from "./platform.ts";
import { schema1Payload } from "./schema1.ts";
import type { Descriptor, Digest, Platform } from "#spec/oci-image.ts";
import type { Endpoint } from "../endpoint.ts";
import type { RegistryLimits } from "../limits.ts";

export interface FetchedManifest {
  /** What the registry served; of a signed schema 1 manifest the part that the digest is about. */
  bytes: Uint8Array;
  digest: Digest;
  document: ManifestDocument;
}

export interface ChosenManifest extends FetchedManifest {
  document: Exclude<ManifestDocument, { kind: "index" }>;
  /** Digest of what was asked for first: the outermost index, or the manifest itself. */
  topDigest: Digest;
}

/**
 * Fetches what the endpoint's reference names, and through indexes the manifest for `platform`. Every digest is verified.
 * @throws DomainError data-loss for a wrong digest; invalid-argument for what is malformed, too large, or has no such
 *   platform; what Endpoint.get throws
 */
export async function fetchForPlatform(
  endpoint: Endpoint,
  platform: Platform,
  limits: RegistryLimits,
  signal: AbortSignal,
): Promise<ChosenManifest> {
  const { digest, tag } = endpoint.reference;
  let fetched = await fetchManifest(endpoint, digest ?? tag ?? "latest", limits, signal);
  const topDigest = fetched.digest;
  for (let depth = 0; ; depth += 1) {
    const { document } = fetched;
    if (document.kind !== "index") return { ...fetched, document, topDigest };
    if (depth >= limits.indexDepth)
      throw unusable(`the index ${topDigest} holds indexes more than ${limits.indexDepth} levels deep`);
    const { manifests } = document.index;
    const chosen = selectPlatform(manifests, platform);
    if (chosen === undefined) throw noSuchPlatform(fetched.digest, manifests, platform);
    fetched = await fetchManifest(endpoint, chosen.digest, limits, signal);
    checkSize(chosen, fetched);
  }
}

async function fetchManifest(
  endpoint: Endpoint,
  tagOrDigest: string,
  limits: RegistryLimits,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const headers = { accept: manifestAccept };
  const what = `the manifest ${tagOrDigest}`;
  const request = { path: `manifests/${tagOrDigest}`, headers, expect: [200], signal };
  const answer = await endpoint.getBytes(request, limits.manifestBytes, what);
  const served = answer.bytes;
  const type = answer.headers["content-type"];
  const expected = isDigest(tagOrDigest) ? tagOrDigest : contentDigest(answer.headers["docker-content-digest"]);
  const document = parseServed(served, expected, what, () => parseManifestDocument(served, type, what, limits));
  const bytes = document.kind === "schema1" ? schema1Payload(served, what) : served;
  if (expected !== undefined) verifyDigest(bytes, expected, what);
  return { bytes, digest: digestOf(bytes, expected === undefined ? "sha256" : algorithmOf(expected)), document };
}

/**
 * What `parse` gives. The digest of a signed schema 1 manifest is that of a part that only parsing finds, so all other bytes than the
 * expected ones are parsed too; when that fails, they are no schema 1 manifest, and what is wrong with them is their digest.
 */
function parseServed(
  served: Uint8Array,
  expected: Digest | undefined,
  what: string,
  parse: () => ManifestDocument,
): ManifestDocument {
  try {
    return parse();
  } catch (error) {
    if (expected !== undefined) verifyDigest(served, expected, what);
    throw error;
  }
}

/** What the registry says the digest is; a cut or changed answer does not fit it. */
function contentDigest(header: string | string[] | undefined): Digest | undefined {
  return isDigest(header) ? header : undefined;
}

/** The size of a signed schema 1 manifest counts its signatures, which are no longer in `bytes`. */
function checkSize(declared: Descriptor, { bytes, document }: FetchedManifest): void {
  if (document.kind === "schema1" || declared.size === bytes.byteLength) return;
  throw new DomainError(
    "data-loss",
    `the manifest ${declared.digest} has ${bytes.byteLength} bytes, its index declares ${declared.size}`,
    { facts: { digest: declared.digest, reason: "UNKNOWN" } },
  );
}

function noSuchPlatform(index: Digest, manifests: readonly Descriptor[], platform: Platform): DomainError {
  const offered = manifests
    .map((entry) => entry.platform)
    .filter((entry) => entry !== undefined)
    .filter(({ os }) => os !== "unknown")
    .map((entry) => formatPlatform(entry));
  return unusable(
    `the index ${index} has nothing for ${formatPlatform(platform)}, only ${offered.slice(0, 20).join(", ") || "no platforms at all"}`,
  );
}

function unusable(message: string): DomainError {
  return new DomainError("invalid-argument", message, { facts: { reason: "UNKNOWN" } });
}
