import { DomainError } from "#errors/domain-error.ts";
import { ConnectionFailure } from "./http/failure.ts";
import type { Descriptor, Digest } from "#spec/oci-image.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http/http-transport.ts";

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
export function sizedStream(
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
