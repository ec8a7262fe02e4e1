import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { DomainError, type ErrorKind, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { DockerName } from "./docker-name.ts";

/** More than this from a server is a mistake of the server's. */
const mostSignatures = 128;
const mostBytes = 4 * 1024 * 1024;
/** Of all signatures of a manifest together. */
const mostBytesTogether = 16 * 1024 * 1024;
const timeoutMs = 30_000;

/**
 * Reads the simple signatures of a manifest: `<base>/<path>@sha256=<hex>/signature-<n>`, n from 1 until one is missing.
 * @throws DomainError registry-unavailable, unauthenticated, permission-denied, or unavailable for a file or an odd answer; failed-precondition
 *   for a URL that is none; data-loss for what is too large to be a signature
 */
export async function readLookaside(
  base: string,
  name: DockerName,
  digest: Digest,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let leftBytes = mostBytesTogether;
  while (found.length < mostSignatures) {
    const url = signatureUrl(base, name, digest, found.length + 1);
    const one = await readOne(url, signal);
    if (one === undefined) break;
    leftBytes -= one.byteLength;
    if (leftBytes < 0)
      throw unreadable(url, "data-loss", `the signatures have more than ${mostBytesTogether} bytes together`);
    found.push(one);
  }
  return found;
}

/** The path of the repository is without its registry. */
function signatureUrl(base: string, { repository }: DockerName, digest: Digest, number: number): URL {
  const place = repository.slice(repository.indexOf("/") + 1);
  const text = `${base.replace(/\/+$/, "")}/${place}@${digest.replace(":", "=")}/signature-${number}`;
  const url = URL.parse(text);
  if (url !== null) return url;
  throw new DomainError("failed-precondition", `the lookaside of registries.d for ${repository} is no URL`);
}

async function readOne(url: URL, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return url.protocol === "file:" ? await readFile(fileURLToPath(url)) : await fetchOne(url, signal);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    if (error instanceof DomainError) throw error;
    const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : "";
    throw unreadable(
      url,
      url.protocol === "file:" ? "unavailable" : "registry-unavailable",
      `${messageOf(error)}${cause}`,
      error,
    );
  }
}

function unreadable(url: URL, kind: ErrorKind, why: string, cause?: unknown): DomainError {
  return new DomainError(kind, `the signature ${nameOf(url)} cannot be read: ${why}`, {
    facts: { url: nameOf(url) },
    cause,
  });
}

function kindOfStatus(status: number): ErrorKind {
  if (status === 401) return "unauthenticated";
  if (status === 403) return "permission-denied";
  return status === 429 || status >= 500 ? "registry-unavailable" : "unavailable";
}

/** Without user and password, which are nothing for an event of the cluster. */
function nameOf(url: URL): string {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare.href;
}

/** `fetch` takes no URL that has a user. */
function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = [username, password].map(decodeURIComponent).join(":");
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

async function fetchOne(url: URL, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new DomainError("failed-precondition", `the lookaside ${nameOf(url)} is neither file:, http: nor https:`);
  const response = await fetch(nameOf(url), {
    headers: authorizationOf(url),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw unreadable(url, kindOfStatus(response.status), `the server answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > mostBytes) throw unreadable(url, "data-loss", `it has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
