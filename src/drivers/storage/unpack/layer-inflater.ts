import { createHash } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { CheckedContent } from "./checked-content.ts";
import { Decompressor } from "./decompressor.ts";
import { TarSender } from "./tar-slots.ts";

export interface InflateRequest {
  digest: Digest;
  sizeBytes: number;
  diffId: Digest;
  /** Of the uncompressed tar. */
  maxUnpackedBytes: number;
  /** To the `LayerUnpacker`. */
  tar: MessagePort;
}

/** Verifies and decompresses one layer that is written to it in pieces, and hands its tar on to the thread that unpacks it. */
export class LayerInflater {
  readonly #request: InflateRequest;
  readonly #compressed: CheckedContent;
  readonly #diff: ReturnType<typeof createHash>;
  readonly #decompressor = new Decompressor((bytes) => this.#take(bytes));
  readonly #tar: TarSender;
  #tarBytes = 0;

  constructor(request: InflateRequest) {
    this.#request = request;
    this.#compressed = new CheckedContent(request.digest, request.sizeBytes);
    this.#diff = createHash(algorithmOf(request.diffId));
    this.#tar = new TarSender(request.tar);
  }

  /** Resolves when `bytes` may be reused. @throws DomainError */
  async write(bytes: Buffer): Promise<void> {
    this.#compressed.update(bytes);
    await this.#decompressor.write(bytes);
  }

  /**
   * Everything has been written. Only now does the other thread hear that the layer is whole.
   * @throws DomainError data-loss when a digest or the size is not what was declared
   */
  async end(): Promise<undefined> {
    this.#compressed.finish();
    await this.#decompressor.end();
    const diffId = `${algorithmOf(this.#request.diffId)}:${this.#diff.digest("hex")}`;
    if (diffId !== this.#request.diffId) {
      const message = `the unpacked content is ${diffId}, the image's config says ${this.#request.diffId}`;
      throw new DomainError("data-loss", message);
    }
    this.#tar.end();
  }

  [Symbol.dispose](): void {
    this.#decompressor.destroy();
    this.#tar[Symbol.dispose]();
  }

  #take(bytes: Buffer): Promise<void> | undefined {
    this.#tarBytes += bytes.length;
    if (this.#tarBytes > this.#request.maxUnpackedBytes) {
      const message = `the layer unpacks to more than the ${this.#request.maxUnpackedBytes} bytes that are allowed for ${this.#request.sizeBytes} compressed ones`;
      throw new DomainError("resource-exhausted", message);
    }
    this.#diff.update(bytes);
    return this.#tar.send(bytes);
  }
}

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}
