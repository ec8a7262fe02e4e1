import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";

/** What TLS connections to one host use beyond the defaults. */
export interface HostCertificates {
  /** PEM of the authorities to trust in addition to the system's. */
  authorities: string[];
  /** PEM of the client certificate and its key. */
  client?: { certificate: string; key: string };
}

/** Where distributions keep the bundle that update-ca-certificates and its like write. */
export const systemBundles: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** The authorities every registry is checked against: the first bundle that exists, else the ones Node comes with. */
export async function loadSystemAuthorities(bundles: readonly string[]): Promise<string[]> {
  for (const path of bundles) {
    try {
      return [await readFile(path, "utf8")];
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw unreadable(path, error);
    }
  }
  return [...rootCertificates];
}

/**
 * Reads `<directory>/<host[:port]>` of the first of the directories that has it, see containers-certs.d(5): `*.crt` are
 * authorities, `NAME.cert` with `NAME.key` is the client certificate (the last one in lexical order is used).
 * @throws DomainError failed-precondition for what cannot be read, and for a .cert without its .key or the reverse
 */
export async function loadHostCertificates(
  directories: readonly string[],
  host: string,
): Promise<HostCertificates | undefined> {
  // A redirect may name any host: none may lead out of the directory.
  if (!/[^.]/.test(host) || host.includes("/")) return undefined;
  for (const parent of directories) {
    const directory = join(parent, host === "registry-1.docker.io" ? "docker.io" : host);
    const names = await listIfPresent(directory);
    if (names !== undefined) return readDirectory(directory, names);
  }
  return undefined;
}

async function readDirectory(directory: string, names: string[]): Promise<HostCertificates> {
  const certificates: HostCertificates = { authorities: [] };
  for (const name of names.sort()) {
    if (name.endsWith(".crt")) certificates.authorities.push(await read(join(directory, name)));
    if (name.endsWith(".cert")) certificates.client = await readClient(directory, name, names);
    if (name.endsWith(".key") && !names.includes(`${name.slice(0, -4)}.cert`))
      throw missing(directory, name, `${name.slice(0, -4)}.cert`);
  }
  return certificates;
}

async function readClient(directory: string, name: string, names: readonly string[]) {
  const keyName = `${name.slice(0, -5)}.key`;
  if (!names.includes(keyName)) throw missing(directory, name, keyName);
  return { certificate: await read(join(directory, name)), key: await read(join(directory, keyName)) };
}

async function listIfPresent(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw unreadable(directory, error);
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function missing(directory: string, has: string, lacks: string): DomainError {
  return new DomainError("failed-precondition", `${directory} has ${has} but not ${lacks}`, { facts: { directory } });
}

function unreadable(path: string, cause: unknown): DomainError {
  return new DomainError("failed-precondition", `cannot read ${path}: ${messageOf(cause)}`, { facts: { path }, cause });
}
