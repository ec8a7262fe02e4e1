import type { ImageSignature } from "#spec/image-signature.ts";
import type { Digest } from "#spec/oci-image.ts";

/** The full name of an image as it was asked for. With a digest the tag says nothing. */
export interface SignedName {
  /** e.g. `quay.io` or `127.0.0.1:5000`. */
  registry: string;
  /** e.g. `library/busybox`. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

export interface SignatureCheck {
  name: SignedName;
  /** Of the manifest, then of the index that led to it where there is one: a signature of either is enough. */
  digests: readonly Digest[];
  /** Of the pod; empty when there is none. */
  namespace: string;
  /** From an earlier check: nothing is fetched when they are enough. */
  known: readonly ImageSignature[];
  /** Reads the sigstore signatures that the registry keeps for a manifest. */
  attachments(digest: Digest): Promise<readonly ImageSignature[]>;
  signal: AbortSignal;
}

/** Which images may be used: containers-policy.json(5). */
export interface SignaturePolicies {
  /**
   * Gives the signatures by which the image was accepted, none where the policy asks for none. Without any policy file everything is
   * accepted.
   * @throws DomainError signature-validation-failed naming the image, the policy and the reason; registry-unavailable, unauthenticated or
   *   permission-denied, naming the place too, when the signatures could not be asked for; failed-precondition for a policy that cannot be used
   */
  check(request: SignatureCheck): Promise<readonly ImageSignature[]>;
  /** True when a policy was chosen for the namespace or in the configuration: then images are checked when they are used, too. */
  checksUse(namespace: string): Promise<boolean>;
}
