import { createHash } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";

/** Hashes content that arrives in pieces and compares it with its descriptor. */
export class CheckedContent {
  readonly #digest: Digest;
  readonly #declaredBytes: number;
  readonly #hash: ReturnType<typeof createHash>;
  #bytes = 0;

  constructor(digest: Digest, declaredBytes: number) {
    this.#digest = digest;
    this.#declaredBytes = declaredBytes;
    this.#hash = createHash(digest.slice(0, digest.indexOf(":")));
  }

  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#hash.update(bytes);
  }

  /** @throws DomainError data-loss */
  finish(): void {
    if (this.#bytes !== this.#declaredBytes) {
      throw new DomainError("data-loss", `${this.#bytes} bytes came, the manifest declares ${this.#declaredBytes}`);
    }
    const algorithm = this.#digest.slice(0, this.#digest.indexOf(":"));
    const found = `${algorithm}:${this.#hash.digest("hex")}`;
    if (found !== this.#digest) {
      throw new DomainError("data-loss", `the content received is ${found}, not ${this.#digest}`);
    }
  }
}
