import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { ImageReference, RegistryAuth } from "../index.ts";

/** What is sent to a registry or its token server. */
export type Credentials =
  | { kind: "anonymous" }
  | { kind: "password"; username: string; password: string }
  /** An OAuth2 refresh token. */
  | { kind: "identity-token"; token: string }
  /** A bearer token, sent as it is. */
  | { kind: "registry-token"; token: string };

export const anonymous: Credentials = { kind: "anonymous" };

/** The files that are asked for credentials, in order, for the root user; see containers-auth.json(5). */
export function defaultAuthFiles(globalAuthFile: string | undefined, env: NodeJS.ProcessEnv): string[] {
  const home = env["HOME"] || "/root";
  return [
    globalAuthFile,
    env["REGISTRY_AUTH_FILE"],
    "/run/containers/0/auth.json",
    join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers/auth.json"),
    join(env["DOCKER_CONFIG"] || join(home, ".docker"), "config.json"),
  ].filter((path): path is string => path !== undefined && path !== "");
}

/**
 * The credentials of the first file that has some for the reference. In a file the most specific key wins:
 * `host/namespace/repository`, `host/namespace`, `host`. Files that do not exist are skipped.
 * @throws DomainError failed-precondition naming the file, when it cannot be read or understood
 */
export async function findCredentials(files: readonly string[], reference: ImageReference): Promise<Credentials> {
  for (const path of files) {
    const auths = await readAuths(path);
    for (const key of keysOf(reference)) {
      const found = auths.get(key);
      if (found === undefined) continue;
      const credentials = credentialsFrom(found, `${path}, entry ${key}`);
      if (credentials.kind !== "anonymous") return credentials;
    }
  }
  return anonymous;
}

/**
 * The one form of credentials that `auth` holds; the forms are looked at in the order in which RegistryAuth lists them.
 * @throws DomainError failed-precondition naming `where`, when the base64 form cannot be decoded
 */
export function credentialsFrom(auth: RegistryAuth, where: string): Credentials {
  // docker writes a user name without a password (also as `auth`) beside an identity token.
  if (auth.username && (auth.password || !auth.identityToken))
    return { kind: "password", username: auth.username, password: auth.password ?? "" };
  if (auth.auth && !auth.identityToken) return decodeBasic(auth.auth, where);
  if (auth.identityToken) return { kind: "identity-token", token: auth.identityToken };
  if (auth.registryToken) return { kind: "registry-token", token: auth.registryToken };
  return anonymous;
}

/** True when credentials given for `serverAddress` may be shown to `registry`. */
export function isAddressedTo(serverAddress: string | undefined, registry: string): boolean {
  return !serverAddress || normaliseKey(serverAddress).split("/")[0] === normaliseKey(registry);
}

function keysOf(reference: ImageReference): string[] {
  const parts = [normaliseKey(reference.registry), ...reference.repository.split("/")];
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}

/** Docker writes keys as URLs (`https://index.docker.io/v1/`); only the host of such a key counts. */
function normaliseKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "");
  const trimmed = bare === key ? bare.replace(/\/+$/, "") : (bare.split("/")[0] ?? bare);
  const [host = "", ...path] = trimmed.replace(/\/v[12]$/, "").split("/");
  const known = host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
  return [known, ...path].join("/");
}

async function readAuths(path: string): Promise<Map<string, RegistryAuth>> {
  const auths = new Map<string, RegistryAuth>();
  const text = await readIfPresent(path);
  if (text === undefined || text.trim() === "") return auths;
  for (const [key, value] of Object.entries(authsOf(path, text))) {
    const auth = readEntry(value);
    // An exact key beats a URL that means the same.
    if (auth !== undefined && (key === normaliseKey(key) || !auths.has(normaliseKey(key))))
      auths.set(normaliseKey(key), auth);
  }
  return auths;
}

function authsOf(path: string, text: string): object {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    // The parser quotes what it read: a secret may be in there.
    throw new DomainError("failed-precondition", `cannot use ${path}: it is not JSON`, {
      facts: { path },
      cause: new Error(error instanceof SyntaxError ? "JSON syntax error" : messageOf(error)),
    });
  }
  if (!isObject(document)) throw new DomainError("failed-precondition", `cannot use ${path}: it is no JSON object`);
  return isObject(document["auths"]) ? document["auths"] : {};
}

function readEntry(value: unknown): RegistryAuth | undefined {
  if (!isObject(value)) return undefined;
  const auth: RegistryAuth = {};
  if (typeof value["username"] === "string") auth.username = value["username"];
  if (typeof value["password"] === "string") auth.password = value["password"];
  if (typeof value["auth"] === "string") auth.auth = value["auth"];
  if (typeof value["identitytoken"] === "string") auth.identityToken = value["identitytoken"];
  if (typeof value["registrytoken"] === "string") auth.registryToken = value["registrytoken"];
  return auth;
}

function decodeBasic(encoded: string, where: string): Credentials {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon <= 0)
    throw new DomainError("failed-precondition", `the auth value of ${where} is not base64 of username:password`, {
      facts: { reason: "UNKNOWN" },
    });
  // Some writers of docker's format pad the password with NULs.
  const password = text.slice(colon + 1).replace(/\0+$/, "");
  return { kind: "password", username: text.slice(0, colon), password };
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw new DomainError("failed-precondition", `cannot read ${path}: ${messageOf(error)}`, {
      facts: { path },
      cause: error,
    });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
