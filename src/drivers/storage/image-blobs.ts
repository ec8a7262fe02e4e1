import type { Digest } from "#spec/oci-image.ts";
import type { ImageRecord } from "./index.ts";

/** What an image keeps of the store's blobs: manifest, config and, for artifacts, content. */
export function blobsOf(record: ImageRecord): Digest[] {
  return [record.manifestDigest, `sha256:${record.id}`, ...(record.artifact ?? []).map((content) => content.digest)];
}
