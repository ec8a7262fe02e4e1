import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { messageOf } from "#errors/domain-error.ts";

/** Public keys in PEM as cosign writes them. @throws Error naming which of them cannot be used */
export function parsePublicKeys(pems: readonly Uint8Array[]): KeyObject[] {
  return pems.map((pem, index) => {
    try {
      const key = createPublicKey(Buffer.from(pem));
      if (["ec", "rsa", "ed25519"].includes(key.asymmetricKeyType ?? "")) return key;
      throw new Error(`keys of type ${key.asymmetricKeyType ?? "unknown"} are not supported`);
    } catch (error) {
      throw new Error(`public key ${index + 1} cannot be used: ${messageOf(error)}`, { cause: error });
    }
  });
}

/** Public keys of Rekor logs, which sign by ECDSA. @throws Error */
export function parseRekorKeys(pems: readonly Uint8Array[]): KeyObject[] {
  return parsePublicKeys(pems).map((key) => {
    if (key.asymmetricKeyType === "ec") return key;
    throw new Error(`Rekor keys of type ${key.asymmetricKeyType ?? "unknown"} are not supported`);
  });
}

/** True when one of the keys made the signature. cosign hashes with SHA-256 whatever the curve is. */
export function isSignedByOne(keys: readonly KeyObject[], payload: Uint8Array, signature: Uint8Array): boolean {
  return keys.some((key) => {
    try {
      return verify(key.asymmetricKeyType === "ed25519" ? null : "sha256", payload, key, signature);
    } catch {
      // A signature of another kind of key is malformed for this one.
      return false;
    }
  });
}
