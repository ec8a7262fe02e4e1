import { DomainError } from "#errors/domain-error.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import type { SignatureCheck, SignaturePolicies } from "./index.ts";

/**
 * A policy for domain tests: accepts everything but the repositories in `rejected`, and of those in `signed` only what has a signature among
 * the known ones or the registry's.
 */
export class FakeSignaturePolicies implements SignaturePolicies {
  readonly rejected = new Set<string>();
  readonly signed = new Set<string>();
  readonly checks: SignatureCheck[] = [];
  atUse = false;

  async check(request: SignatureCheck): Promise<readonly ImageSignature[]> {
    this.checks.push(request);
    const repository = `${request.name.registry}/${request.name.repository}`;
    if (this.rejected.has(repository)) throw refused(repository, "images from there are not allowed");
    if (!this.signed.has(repository)) return [];
    if (request.known.length > 0) return request.known;
    const found = (await Promise.all(request.digests.map((digest) => request.attachments(digest)))).flat();
    if (found.length === 0) throw refused(repository, "it has to be signed, and there is no signature");
    return found;
  }

  async checksUse(): Promise<boolean> {
    return this.atUse;
  }
}

function refused(repository: string, why: string): DomainError {
  return new DomainError(
    "signature-validation-failed",
    `SignatureValidationFailed: image ${repository} is refused: ${why}`,
  );
}
