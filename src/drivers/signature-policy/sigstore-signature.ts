import type { KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { messageOf } from "#errors/domain-error.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import { type Certificate, emailsOf, oidcIssuerOf, parseCertificates } from "./certificate.ts";
import { requireChain } from "./certificate-chain.ts";
import { type KeySources, readSources } from "./key-sources.ts";
import { onlyPemBlock } from "./pem.ts";
import { type LoggedSignature, requireLogged } from "./rekor-set.ts";
import { isSignedByOne, parsePublicKeys, parseRekorKeys } from "./sigstore-keys.ts";
import type { SigstoreTrust } from "./sigstore-trust.ts";

type SigstoreSignature = Extract<ImageSignature, { kind: "sigstore" }>;
/** Keys by which a signature counts. @throws Error that says why none does */
type KeysFor = (signature: SigstoreSignature) => readonly KeyObject[];

/** How the text of a signature is got at: only if somebody whom the policy trusts has made it. @throws Error for keys that cannot be used */
export async function sigstoreOpener(trust: SigstoreTrust): Promise<(signature: SigstoreSignature) => string> {
  const keysFor = await trustedKeys(trust);
  return (signature) => {
    const payload = Buffer.from(signature.payload, "base64");
    if (!isSignedByOne(keysFor(signature), payload, Buffer.from(signature.signature, "base64")))
      throw new Error("it was not made with a key of the policy");
    return payload.toString("utf8");
  };
}

async function trustedKeys(trust: SigstoreTrust): Promise<KeysFor> {
  switch (trust.kind) {
    case "keys":
      return givenKeys(trust);
    case "fulcio":
      return fulcioKeys(trust);
    case "pki":
      return pkiKeys(trust);
  }
}

async function givenKeys({ keys, rekor }: Extract<SigstoreTrust, { kind: "keys" }>): Promise<KeysFor> {
  const publicKeys = parsePublicKeys(await readSources(keys));
  if (rekor === undefined) return () => publicKeys;
  const logKeys = parseRekorKeys(await readSources(rekor));
  return (signature) => {
    // An entry is about one key; when it happened says nothing about a key that does not end.
    const reasons = new Set<string>();
    for (const key of publicKeys) {
      try {
        requireInLog(logKeys, signature, key.export({ type: "spki", format: "der" }));
        return [key];
      } catch (error) {
        reasons.add(messageOf(error));
      }
    }
    throw new Error([...reasons].join("; "));
  };
}

async function fulcioKeys(trust: Extract<SigstoreTrust, { kind: "fulcio" }>): Promise<KeysFor> {
  const logKeys = parseRekorKeys(await readSources(trust.rekor));
  const roots = await readCertificates(trust.authorities);
  return (signature) => {
    const leaf = leafOf(signature);
    const at = requireInLog(logKeys, signature, onlyPemBlock(signature.certificate ?? ""));
    requireChain({ leaf, intermediates: intermediatesOf(signature), roots, at });
    const issuer = oidcIssuerOf(leaf);
    if (issuer !== trust.oidcIssuer) throw new Error(`its certificate is for somebody whom ${issuer} knows`);
    requireEmail(leaf, trust.subjectEmail);
    return [leaf.x509.publicKey];
  };
}

async function pkiKeys(trust: Extract<SigstoreTrust, { kind: "pki" }>): Promise<KeysFor> {
  const roots = await readCertificates(trust.roots);
  const given = trust.intermediates === undefined ? [] : await readCertificates(trust.intermediates);
  const { subjectEmail, subjectHostname } = trust;
  return (signature) => {
    const leaf = leafOf(signature);
    requireChain({ leaf, intermediates: [...given, ...intermediatesOf(signature)], roots, at: new Date() });
    if (subjectEmail !== undefined) requireEmail(leaf, subjectEmail);
    if (subjectHostname !== undefined) requireHostname(leaf, subjectHostname);
    return [leaf.x509.publicKey];
  };
}

function requireInLog(logKeys: readonly KeyObject[], signature: SigstoreSignature, keyOrCertificate: Buffer): Date {
  if (signature.rekorBundle === undefined) throw new Error("it has no entry in a Rekor log");
  const logged: LoggedSignature = {
    keyOrCertificate,
    signature: Buffer.from(signature.signature, "base64"),
    payload: Buffer.from(signature.payload, "base64"),
  };
  return requireLogged(logKeys, signature.rekorBundle, logged);
}

function leafOf({ certificate }: SigstoreSignature): Certificate {
  if (certificate === undefined) throw new Error("it has no certificate");
  const [leaf, ...more] = parseCertificates(certificate);
  if (leaf === undefined || more.length > 0) throw new Error("it has several certificates");
  return leaf;
}

/** The last one is the root, as whoever signed sees it, and is not needed. */
function intermediatesOf({ chain }: SigstoreSignature): Certificate[] {
  return chain === undefined || chain === "" ? [] : parseCertificates(chain).slice(0, -1);
}

async function readCertificates(sources: KeySources): Promise<Certificate[]> {
  return (await readSources(sources)).flatMap((pem) => parseCertificates(pem.toString("utf8")));
}

function requireEmail(leaf: Certificate, wanted: string): void {
  const emails = emailsOf(leaf);
  if (!emails.includes(wanted)) throw new Error(`its certificate is for ${emails.join(", ") || "no address"}`);
}

/** By the alternative names alone, in which only a whole first label may be a wildcard. */
function requireHostname(leaf: Certificate, wanted: string): void {
  const fits =
    isIP(wanted) === 0
      ? leaf.x509.checkHost(wanted, { subject: "never", partialWildcards: false })
      : leaf.x509.checkIP(wanted);
  if (fits === undefined)
    throw new Error(`its certificate is for ${leaf.x509.subjectAltName ?? "no host"}, not for ${wanted}`);
}
