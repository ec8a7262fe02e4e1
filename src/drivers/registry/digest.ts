import { createHash } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";

/** The algorithms the OCI image spec registers, and the length of their hex form. */
const hexLengths: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha384", 96],
  ["sha512", 128],
]);

/** True for `<algorithm>:<lower-case hex>` of an algorithm that can be checked here. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== "string") return false;
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  return hex.length === hexLengths.get(text.slice(0, colon)) && /^[0-9a-f]+$/.test(hex);
}

/** The algorithm part of a digest, as node:crypto spells it. */
export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

/** Digest of bytes that are small enough to be hashed on the main thread (manifests and configs). */
export function digestOf(bytes: Uint8Array, algorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** @throws DomainError data-loss naming `what` when the bytes are not the ones `expected` names */
export function verifyDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const actual = digestOf(bytes, algorithmOf(expected));
  if (actual === expected) return;
  throw new DomainError("data-loss", `${what} has digest ${actual}, expected ${expected}`, {
    facts: { expected, actual, sizeBytes: bytes.byteLength, reason: "UNKNOWN" },
  });
}
