import { X509Certificate } from "node:crypto";
import { messageOf } from "#errors/domain-error.ts";
import { derContent, derElements, DerTag, derValue, objectIdentifierText } from "./der.ts";
import { pemBlocks } from "./pem.ts";

/** A certificate, and what of its extensions counts (RFC 5280) that node:crypto does not tell. */
export interface Certificate {
  x509: X509Certificate;
  /** Extensions by object identifier. */
  extensions: ReadonlyMap<string, { critical: boolean; value: Buffer }>;
}

export const extensionId = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  extendedKeyUsage: "2.5.29.37",
  /** Fulcio's, the OIDC issuer as bare text, and as it should have been from the start. */
  oidcIssuerV1: "1.3.6.1.4.1.57264.1.1",
  oidcIssuerV2: "1.3.6.1.4.1.57264.1.8",
} as const;

/** All certificates in a PEM text. @throws Error when there is none, or one cannot be read */
export function parseCertificates(pem: string): Certificate[] {
  return pemBlocks(pem, "CERTIFICATE").map(parseCertificate);
}

function parseCertificate(der: Buffer): Certificate {
  try {
    return { x509: new X509Certificate(der), extensions: extensionsOf(der) };
  } catch (error) {
    throw new Error(`a certificate cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { ..., extensions [3] EXPLICIT SEQUENCE OF Extension }, ... } */
function extensionsOf(der: Buffer): Certificate["extensions"] {
  const extensionsTag = 0xa3;
  const [tbs] = derContent(der, DerTag.sequence);
  if (tbs?.tag !== DerTag.sequence) throw new Error("it has no content");
  const holder = derElements(tbs.content).find(({ tag }) => tag === extensionsTag);
  const found = new Map<string, { critical: boolean; value: Buffer }>();
  for (const extension of holder === undefined ? [] : derContent(holder.content, DerTag.sequence)) {
    const [id, ...rest] = derElements(extension.content);
    const value = rest.at(-1);
    if (id?.tag !== DerTag.objectIdentifier || value?.tag !== DerTag.octetString || rest.length > 2)
      throw new Error("an extension is not well-formed");
    const name = objectIdentifierText(id.content);
    if (found.has(name)) throw new Error(`it has the extension ${name} twice`);
    found.set(name, { critical: rest.length === 2 && rest[0]?.content[0] === 0xff, value: value.content });
  }
  return found;
}

/** Addresses of the subject's alternative names. */
export function emailsOf({ extensions }: Certificate): string[] {
  const rfc822NameTag = 0x81;
  const names = extensions.get(extensionId.subjectAltName);
  if (names === undefined) return [];
  return derContent(names.value, DerTag.sequence)
    .filter(({ tag }) => tag === rfc822NameTag)
    .map(({ content }) => content.toString("latin1"));
}

/** How many authorities may stand between this one and the end of the chain; undefined when it does not say. */
export function pathLengthOf({ extensions }: Certificate): number | undefined {
  const constraints = extensions.get(extensionId.basicConstraints);
  if (constraints === undefined) return undefined;
  const length = derContent(constraints.value, DerTag.sequence).find(({ tag }) => tag === DerTag.integer);
  return length === undefined || length.content.length === 0 || length.content.length > 4
    ? undefined
    : length.content.readIntBE(0, length.content.length);
}

/**
 * The OIDC issuer that Fulcio has recorded.
 * @throws Error when there is none, or two that differ
 */
export function oidcIssuerOf({ extensions }: Certificate): string {
  const first = extensions.get(extensionId.oidcIssuerV1)?.value.toString("utf8");
  const second = extensions.get(extensionId.oidcIssuerV2)?.value;
  const issuers = new Set([
    ...(first === undefined ? [] : [first]),
    ...(second === undefined ? [] : [derValue(second, DerTag.utf8String).toString("utf8")]),
  ]);
  const [issuer, other] = [...issuers];
  if (issuer === undefined) throw new Error("its certificate names no OIDC issuer");
  if (other !== undefined) throw new Error(`its certificate names two OIDC issuers, ${issuer} and ${other}`);
  return issuer;
}
