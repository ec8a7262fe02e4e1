import { promisify } from "node:util";
import { gunzip, inflate, type ZlibOptions } from "node:zlib";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { tooLong } from "./message-frame.ts";

type Decompressor = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>;

const decompressors = new Map<string, Decompressor>([
  ["gzip", promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ["deflate", promisify<Buffer, ZlibOptions, Buffer>(inflate)],
]);

/** What `grpc-accept-encoding` tells clients. */
export const acceptedEncodings = ["identity", ...decompressors.keys()].join(",");

/** Whether requests may be compressed so. */
export function isAcceptedEncoding(encoding: string): boolean {
  return encoding === "identity" || decompressors.has(encoding);
}

/**
 * The message that was compressed, `maxBytes` long at most. Works outside the main thread.
 * @throws DomainError internal when it is not compressed so, resource-exhausted when it is too long
 */
export async function decompress(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  const decompressor = decompressors.get(encoding);
  if (decompressor === undefined) {
    throw new DomainError("internal", `a message is compressed, but the header grpc-encoding says ${encoding}`);
  }
  try {
    // A limit of 0 would be none at all.
    return await decompressor(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    if (hasErrno(error, "ERR_BUFFER_TOO_LARGE")) throw tooLong(maxBytes + 1, maxBytes);
    throw new DomainError("internal", `a message cannot be decompressed: ${messageOf(error)}`, { cause: error });
  }
}
