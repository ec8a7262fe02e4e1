import { createHash, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import { content, type Content } from "../../test/support/image-builder.ts";
import { tarOf, type TarPart } from "../../test/support/tar.ts";

export type BulkCompression = "gzip" | "zstd";

export interface BulkSize {
  files: number;
  unpackedBytes: number;
}

/** A layer as a registry keeps it, with the digest of its uncompressed tar. */
export interface Layer {
  blob: Content;
  diffId: string;
}

const mediaTypes = {
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;
const closingBlocksBytes = 1024;
const filesPerDirectory = 10;
/** One file in this many is large, as in images of programs and their libraries. */
const filesPerLargeFile = 500;

/** Bytes that gzip shrinks to about two fifths, as it does with programs. */
const pool = Buffer.concat(
  Array.from({ length: 16_384 }, (_, i) => (i % 5 < 2 ? randomBytes(512) : Buffer.alloc(512, randomBytes(24)))),
);

/**
 * A large layer that can be had again and again with another digest: only a small file at its end differs, in a gzip member or
 * zstd frame of its own, so that nothing is compressed twice and no daemon has seen it before.
 */
export class BulkLayer {
  readonly #tar: Buffer;
  readonly #tarHash = createHash("sha256");
  readonly #compressed = new Map<BulkCompression, Promise<Buffer>>();

  constructor(size: BulkSize) {
    const tar = tarOf(parts(size));
    this.#tar = tar.subarray(0, tar.length - closingBlocksBytes);
    this.#tarHash.update(this.#tar);
  }

  async fresh(compression: BulkCompression): Promise<Layer> {
    const tail = tarOf([{ path: "nonce", content: randomBytes(16).toString("hex") }]);
    const blob = Buffer.concat([await this.#body(compression), await compress(tail, compression)]);
    const diffId = `sha256:${this.#tarHash.copy().update(tail).digest("hex")}`;
    return { blob: content(mediaTypes[compression], blob), diffId };
  }

  #body(compression: BulkCompression): Promise<Buffer> {
    const known = this.#compressed.get(compression);
    if (known !== undefined) return known;
    const made = compress(this.#tar, compression);
    this.#compressed.set(compression, made);
    return made;
  }
}

const gzipAsync = promisify<Buffer, { level: number }, Buffer>(gzip);
const zstdAsync = promisify<Buffer, Buffer>(zstdCompress);

function compress(bytes: Buffer, compression: BulkCompression): Promise<Buffer> {
  return compression === "gzip" ? gzipAsync(bytes, { level: 6 }) : zstdAsync(bytes);
}

function parts({ files, unpackedBytes }: BulkSize): TarPart[] {
  const smallBytes = (unpackedBytes * 0.6) / files;
  const largeBytes = (unpackedBytes * 0.4) / Math.ceil(files / filesPerLargeFile);
  const prefix = randomBytes(4).toString("hex");
  const made: TarPart[] = [];
  for (let i = 0; i < files; i += 1) {
    const directory = `usr/share/${prefix}-${Math.floor(i / filesPerDirectory)}`;
    if (i % filesPerDirectory === 0) made.push({ path: `${directory}/`, kind: "directory" });
    // The golden ratio spreads the sizes of small files evenly between a fifth and nine fifths of their mean.
    const spread = 0.2 + 1.6 * ((i * 0.618) % 1);
    const sizeBytes = Math.floor(i % filesPerLargeFile === 0 ? largeBytes : smallBytes * spread);
    made.push({ path: `${directory}/file-${i}.bin`, content: poolBytes(i * 7919 * 512, sizeBytes) });
  }
  return made;
}

function poolBytes(offset: number, sizeBytes: number): Buffer {
  const start = offset % pool.length;
  if (start + sizeBytes <= pool.length) return pool.subarray(start, start + sizeBytes);
  const copies = Math.ceil((start + sizeBytes) / pool.length);
  return Buffer.concat(Array.from({ length: copies }, () => pool)).subarray(start, start + sizeBytes);
}
