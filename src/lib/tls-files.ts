import { readFile, stat } from "node:fs/promises";
import type { SecureContextOptions, SecureVersion } from "node:tls";
import { DomainError, messageOf } from "#errors/domain-error.ts";

/** Files in PEM, read again whenever one of them changes. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** When given, clients must show a certificate of this authority. */
  readonly caPath?: string | undefined;
  readonly minVersion: SecureVersion;
  /** OpenSSL names, colon-separated; for TLS 1.2 only. */
  readonly ciphers?: string | undefined;
}

/** Reads the files. Rejects with invalid-argument naming the file that cannot be read. */
export async function readTlsFiles(files: TlsFiles): Promise<SecureContextOptions> {
  const { minVersion, ciphers } = files;
  const [cert, key, ca] = await Promise.all([
    readPem(files.certPath),
    readPem(files.keyPath),
    files.caPath === undefined ? undefined : readPem(files.caPath),
  ]);
  return { cert, key, minVersion, ...(ca === undefined ? {} : { ca }), ...(ciphers === undefined ? {} : { ciphers }) };
}

/** Something that differs whenever a file was replaced or written; a file that is missing counts as a state too. */
export async function tlsFilesVersion(files: TlsFiles): Promise<string> {
  const paths = [files.certPath, files.keyPath, ...(files.caPath === undefined ? [] : [files.caPath])];
  const states = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`,
        () => "missing",
      ),
    ),
  );
  return states.join("; ");
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new DomainError("invalid-argument", `cannot read TLS file ${path}: ${messageOf(error)}`, { cause: error });
  }
}
