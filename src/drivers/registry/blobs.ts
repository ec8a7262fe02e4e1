import { DomainError } from "#errors/domain-error.ts";
import { ConnectionFailure, pullFailure } from "./http/failure.ts";
import { type SkippedEndpoint, firstThatWorks } from "./first-that-works.ts";
import { formatReference } from "./names/reference.ts";
import type { Descriptor, Digest } from "#spec/oci-image.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http/http-transport.ts";
import type { BlobSource, ImageReference } from "./index.ts";

/** A blob source for an image found at the first of `endpoints`; the others are asked when it lacks or loses a blob. */
export function createBlobSource(
  endpoints: readonly Endpoint[],
  reference: ImageReference,
  skipped: SkippedEndpoint,
): BlobSource {
  return {
    async open(blob, offset, signal) {
      const step = `cannot read blob ${blob.digest} of ${formatReference(reference)}`;
      const facts = { reference: formatReference(reference), digest: blob.digest };
      const fail = (error: unknown) => pullFailure(step, error, facts);
      if (offset < 0 || offset > blob.size)
        throw new DomainError("invalid-argument", `${step}: offset ${offset} is outside of its ${blob.size} bytes`, {
          facts,
        });
      if (offset === blob.size && offset > 0) return emptyStream();
      try {
        const body = await firstThatWorks(endpoints, signal, skipped, (endpoint) =>
          openBlob(endpoint, blob.digest, offset, signal),
        );
        return sizedStream(body, blob, offset, fail);
      } catch (error) {
        throw fail(error);
      }
    },
  };
}

/** Bytes that arrive one chunk at a time, undefined at the end. */
export interface BlobBody {
  read(): Promise<Uint8Array | undefined>;
  discard(): void;
}

/** Opens a blob at `offset`, also where the server ignores Range. @throws what Endpoint.get throws */
export async function openBlob(
  endpoint: Endpoint,
  digest: Digest,
  offset: number,
  signal: AbortSignal,
): Promise<BlobBody> {
  const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
  // 416 says that there are no bytes behind the offset; whoever declared the size sees that they are missing.
  const expect = offset === 0 ? [200] : [200, 206, 416];
  const { answer, url } = await endpoint.get({ path: `blobs/${digest}`, headers, expect, signal });
  if (answer.status === 416) {
    answer.body.discard();
    throw new DomainError("unavailable", `GET ${url.origin}${url.pathname}: 416, there is nothing at byte ${offset}`, {
      facts: { status: 416, reason: "UNKNOWN" },
    });
  }
  try {
    return await skip(answer.body, offset - startOf(answer, offset));
  } catch (error) {
    answer.body.discard();
    throw error;
  }
}

/** The offset at which an answer begins. */
function startOf({ status, headers }: HttpAnswer, asked: number): number {
  if (status === 200) return 0;
  const start = Number(/^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1] ?? Number.NaN);
  if (start <= asked) return start;
  throw new DomainError(
    "unavailable",
    `asked for bytes from ${asked}, got "${headers["content-range"] ?? "no range"}"`,
    {
      facts: { reason: "UNKNOWN" },
    },
  );
}

async function skip(body: BlobBody, count: number): Promise<BlobBody> {
  let left = count;
  while (left > 0) {
    const chunk = await body.read();
    if (chunk === undefined)
      throw new DomainError("unavailable", "the blob ends before the offset", { facts: { reason: "UNKNOWN" } });
    if (chunk.byteLength > left) return { read: prepend(chunk.subarray(left), body), discard: () => body.discard() };
    left -= chunk.byteLength;
  }
  return body;
}

function prepend(first: Uint8Array, body: BlobBody): BlobBody["read"] {
  let pending: Uint8Array | undefined = first;
  return async () => {
    const chunk = pending ?? (await body.read());
    pending = undefined;
    return chunk;
  };
}

/** Ends after exactly the declared number of bytes; a body that has fewer or more is an error. */
function sizedStream(
  body: BlobBody,
  blob: Descriptor,
  offset: number,
  fail: (error: unknown) => DomainError,
): ReadableStream<Uint8Array> {
  let position = offset;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = await body.read();
          position += chunk?.byteLength ?? 0;
          checkSize(blob, position, chunk === undefined);
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        } catch (error) {
          body.discard();
          controller.error(fail(error));
        }
      },
      cancel: () => body.discard(),
    },
    { highWaterMark: 0 },
  );
}

function checkSize({ size }: Descriptor, position: number, ended: boolean): void {
  if (position > size)
    throw new DomainError("data-loss", `it has more than the ${size} bytes that the manifest declares`, {
      facts: { reason: "UNKNOWN" },
    });
  if (ended && position < size)
    throw new ConnectionFailure(`it ends after ${position} of ${size} bytes`, { transient: true });
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
