import type { Digest } from "./oci-image.ts";

/** The algorithms that the OCI image specification registers and everything here can check, and the length of their hex form. */
const hexLengths: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

/** Names of the algorithms, as node:crypto spells them too. */
export const digestAlgorithms: readonly string[] = [...hexLengths.keys()];

/** True for `<algorithm>:<lower-case hex>` of an algorithm that can be checked here; it can be part of a path. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== "string") return false;
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  return hex.length === hexLengths.get(text.slice(0, colon)) && /^[0-9a-f]+$/.test(hex);
}
