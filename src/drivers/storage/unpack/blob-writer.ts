import { closeSync, openSync, writeSync } from "node:fs";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { CheckedContent } from "./checked-content.ts";

/** Writes content that is fed to it to a new file and verifies it. Removing the file after a failure is the caller's part. */
export class BlobWriter {
  readonly #fd: number;
  readonly #content: CheckedContent;

  constructor(request: { digest: Digest; sizeBytes: number; file: string }) {
    this.#content = new CheckedContent(request.digest, request.sizeBytes);
    this.#fd = translated(() => openSync(request.file, "wx", 0o600));
  }

  async write(bytes: Buffer): Promise<void> {
    this.#content.update(bytes);
    translated(() => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    });
  }

  /** @throws DomainError data-loss when the content is not what was declared */
  async end(): Promise<undefined> {
    this.#content.finish();
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const kind = hasErrno(error, "ENOSPC", "EDQUOT") ? "resource-exhausted" : "internal";
    throw new DomainError(kind, messageOf(error), { cause: error });
  }
}
