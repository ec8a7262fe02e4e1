import type { Digest } from "#spec/oci-image.ts";
import type { ImageRecord } from "./index.ts";

/** What an image keeps of the store's blobs, each once: its manifest and configuration, or an artifact's manifest and content. */
export function blobsOf({ id, manifestDigest, artifact = [] }: ImageRecord): Digest[] {
  return [...new Set<Digest>([manifestDigest, `sha256:${id}`, ...artifact.map(({ digest }) => digest)])];
}
