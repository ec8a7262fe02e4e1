import { createHash } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";

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
