import type { Digest } from "./oci-image.ts";

/** A signature that was made for the manifest with this digest. Nothing about it is to be trusted before it was checked. */
export type ImageSignature =
  /** An OpenPGP message that holds the signed text, base64: containers-signature(5), "simple signing". */
  | { kind: "simple"; digest: Digest; message: string }
  /** What cosign puts beside an image: the signed text and its signature, both base64. */
  | {
      kind: "sigstore";
      digest: Digest;
      payload: string;
      signature: string;
      /** JSON: a Rekor log's promise to hold it. */
      rekorBundle?: string;
      /** In PEM: of who signed, and what leads from there to an authority. */
      certificate?: string;
      chain?: string;
    };
