import { createHash } from "node:crypto";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { leftEarly } from "./left-early.ts";
import type { FetchOptions, LayerSource, UnpackProgress } from "./index.ts";
import { fromSoundPlace, wrongContent } from "./sound-place.ts";

/** Reads all of a source into memory, verified by digest and size, from one of its places. @throws DomainError */
export function readSource(source: LayerSource, { signal, onProgress }: FetchOptions): Promise<Uint8Array> {
  return fromSoundPlace(source, signal, () => readOnce(source, signal, onProgress));
}

async function readOnce(
  source: LayerSource,
  signal: AbortSignal,
  onProgress?: (progress: UnpackProgress) => void,
): Promise<Uint8Array> {
  if (signal.aborted) throw leftEarly(signal);
  const pieces: Uint8Array[] = [];
  let compressedBytes = 0;
  const reader = (await source.open(0, signal)).getReader();
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    compressedBytes += value.length;
    onProgress?.({ compressedBytes });
  }
  signal.removeEventListener("abort", cancel);
  if (signal.aborted) throw leftEarly(signal);
  const bytes = Buffer.concat(pieces);
  if (bytes.length !== source.sizeBytes)
    throw wrongContent(source.digest, `${bytes.length} bytes came, the manifest declares ${source.sizeBytes}`);
  try {
    checkDigest(source.digest, bytes);
  } catch (error) {
    throw wrongContent(source.digest, messageOf(error), error);
  }
  return bytes;
}

/** @throws DomainError data-loss when the bytes are other ones */
export function checkDigest(digest: Digest, bytes: Uint8Array): void {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const found = `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
  if (found !== digest) throw new DomainError("data-loss", `the content received is ${found}, not ${digest}`);
}
