import { mkdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import { run } from "#kernel/spawn.ts";
import { fileExists } from "#lib/file-exists.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import type { Logger } from "#observability/logger.ts";

const validDays = 365;

/**
 * Makes a certificate for the machine's name, signed by its own key, where neither file exists.
 * @throws DomainError failed-precondition when openssl is not there or fails
 */
export async function makeSelfSigned({ certPath, keyPath }: TlsFiles, logger: Logger): Promise<void> {
  if ((await fileExists(certPath)) || (await fileExists(keyPath))) return;
  const openssl = findProgram("openssl");
  if (openssl === undefined) {
    throw new DomainError(
      "failed-precondition",
      `metrics_cert ${certPath} and metrics_key ${keyPath} do not exist, and openssl, which would make them, is not installed`,
    );
  }
  for (const file of [certPath, keyPath]) await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const name = hostname();
  const temporary = { cert: `${certPath}.tmp`, key: `${keyPath}.tmp` };
  const algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  const output = ["-keyout", temporary.key, "-out", temporary.cert];
  const argv = [openssl, "req", "-x509", "-nodes", "-days", String(validDays), ...algorithm, ...subject, ...output];
  try {
    const { exitCode, stderr } = await run(argv, { timeoutMs: 30_000 });
    if (exitCode !== 0) {
      const message = `openssl cannot make the certificate ${certPath}: ${stderr.toString().trim()}`;
      throw new DomainError("failed-precondition", message, { facts: { argv } });
    }
    await rename(temporary.key, keyPath);
    await rename(temporary.cert, certPath);
  } finally {
    for (const file of Object.values(temporary)) await rm(file, { force: true });
  }
  logger.info("made a self-signed certificate for the metrics endpoint", { certificate: certPath, days: validDays });
}
