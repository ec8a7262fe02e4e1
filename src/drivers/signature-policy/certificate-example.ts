import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { extensionId } from "./certificate.ts";

// Certificates for tests, made here so that each can have what the test needs.

export interface ExampleCertificate {
  pem: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  name: string;
}

export interface CertificateWishes {
  name: string;
  /** Undefined for one that signs itself. */
  issuer?: ExampleCertificate | undefined;
  from?: Date;
  to?: Date;
  isAuthority?: boolean;
  /** Authorities that may be below it. */
  pathLength?: number;
  emails?: readonly string[];
  hosts?: readonly string[];
  /** Object identifiers of extended key usages; that of signing code unless said. */
  usages?: readonly string[];
  /** Further ones: object identifier → DER. */
  extensions?: Readonly<Record<string, Buffer>>;
  critical?: readonly string[];
}

export const codeSigningUsage = "1.3.6.1.5.5.7.3.3";
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const commonName = "2.5.4.3";

export function makeCertificate(wishes: CertificateWishes): ExampleCertificate {
  const { name, issuer, isAuthority = false } = wishes;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(oid(ecdsaWithSha256));
  const tbs = sequence(
    der(0xa0, integer(2)),
    integer(Math.floor(Math.random() * 0x7fffffff) + 1),
    algorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(
      time(wishes.from ?? new Date(Date.now() - 3_600_000)),
      time(wishes.to ?? new Date(Date.now() + 3_600_000)),
    ),
    distinguishedName(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensionsOf(wishes, isAuthority))),
  );
  const signature = sign("sha256", tbs, issuer?.privateKey ?? privateKey);
  const bytes = sequence(tbs, algorithm, der(0x03, Buffer.of(0), signature));
  return { pem: pemOf("CERTIFICATE", bytes), privateKey, publicKey, name };
}

export function pemOf(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

export function utf8(text: string): Buffer {
  return der(0x0c, Buffer.from(text));
}

function extensionsOf(wishes: CertificateWishes, isAuthority: boolean): Buffer[] {
  const { emails = [], hosts = [], usages = isAuthority ? [] : [codeSigningUsage], critical = [] } = wishes;
  const length = wishes.pathLength === undefined ? [] : [integer(wishes.pathLength)];
  const names = [
    ...emails.map((email) => der(0x81, Buffer.from(email))),
    ...hosts.map((host) => der(0x82, Buffer.from(host))),
  ];
  const all: [string, Buffer][] = [
    [extensionId.basicConstraints, sequence(...(isAuthority ? [der(0x01, Buffer.of(0xff)), ...length] : []))],
    // digitalSignature, or keyCertSign.
    [extensionId.keyUsage, der(0x03, isAuthority ? Buffer.of(2, 0x04) : Buffer.of(7, 0x80))],
    ...(usages.length === 0 ? [] : [[extensionId.extendedKeyUsage, sequence(...usages.map(oid))] as [string, Buffer]]),
    ...(names.length === 0 ? [] : [[extensionId.subjectAltName, sequence(...names)] as [string, Buffer]]),
    ...Object.entries(wishes.extensions ?? {}),
  ];
  return all.map(([id, value]) => {
    const mark = critical.includes(id) ? [der(0x01, Buffer.of(0xff))] : [];
    return sequence(oid(id), ...mark, der(0x04, value));
  });
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid(commonName), utf8(name))));
}

/** GeneralizedTime; certificates want UTCTime before 2050, but everybody reads this too. */
function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`));
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let start = 0;
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start += 1;
  return der(0x02, bytes.subarray(start));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}
