import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { DomainError } from "#errors/domain-error.ts";
import { openDirectory, type ThreadRoot } from "#kernel/chroot.ts";
import type { Digest } from "#spec/oci-image.ts";
import { TarReader } from "../tar/reader.ts";
import { CheckedContent } from "./checked-content.ts";
import { Decompressor } from "./decompressor.ts";
import { LayerWriter, type WrittenLayer } from "./layer-writer.ts";

export interface UnpackRequest {
  digest: Digest;
  sizeBytes: number;
  diffId: Digest;
  /** An empty directory; the layer's root. */
  directory: string;
  /** Of the uncompressed tar. */
  maxUnpackedBytes: number;
  maxEntries: number;
}

/** Verifies, decompresses and unpacks one layer that is written to it in pieces. */
export class LayerUnpacker {
  readonly #request: UnpackRequest;
  readonly #root: ThreadRoot;
  readonly #directoryFd: number;
  readonly #compressed: CheckedContent;
  readonly #diff: ReturnType<typeof createHash>;
  readonly #decompressor = new Decompressor((bytes) => this.#unpack(bytes));
  readonly #writer: LayerWriter;
  readonly #reader: TarReader;
  #tarBytes = 0;

  constructor(request: UnpackRequest, root: ThreadRoot) {
    this.#request = request;
    this.#root = root;
    this.#compressed = new CheckedContent(request.digest, request.sizeBytes);
    this.#diff = createHash(algorithmOf(request.diffId));
    this.#writer = new LayerWriter(request.maxEntries);
    this.#reader = new TarReader(this.#writer);
    this.#directoryFd = openDirectory(request.directory);
  }

  /** Resolves when `bytes` may be reused. @throws DomainError */
  async write(bytes: Buffer): Promise<void> {
    this.#compressed.update(bytes);
    await this.#decompressor.write(bytes);
  }

  /** Everything has been written. @throws DomainError data-loss when a digest or the size is not what was declared */
  async end(): Promise<WrittenLayer> {
    this.#compressed.finish();
    await this.#decompressor.end();
    this.#reader.end();
    const diffId = `${algorithmOf(this.#request.diffId)}:${this.#diff.digest("hex")}`;
    if (diffId !== this.#request.diffId) {
      const message = `the unpacked content is ${diffId}, the image's config says ${this.#request.diffId}`;
      throw new DomainError("data-loss", message);
    }
    return this.#root.inside(this.#directoryFd, () => this.#writer.finish());
  }

  /** Lets go of files and memory; what is on disk is the caller's to remove. */
  [Symbol.dispose](): void {
    this.#decompressor.destroy();
    this.#writer[Symbol.dispose]();
    closeSync(this.#directoryFd);
  }

  #unpack(bytes: Buffer): void {
    this.#tarBytes += bytes.length;
    if (this.#tarBytes > this.#request.maxUnpackedBytes) {
      const message = `the layer unpacks to more than the ${this.#request.maxUnpackedBytes} bytes that are allowed for ${this.#request.sizeBytes} compressed ones`;
      throw new DomainError("resource-exhausted", message);
    }
    this.#diff.update(bytes);
    this.#root.inside(this.#directoryFd, () => this.#reader.write(bytes));
  }
}

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}
