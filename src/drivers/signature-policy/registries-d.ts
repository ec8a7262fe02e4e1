import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { parsePlainYaml } from "#lib/plain-yaml.ts";
import { type DockerName, scopesOf } from "./docker-name.ts";
import { isObject } from "./json-object.ts";

/** Where simple signatures lie when nothing is configured. */
const defaultLookaside = "file:///var/lib/containers/sigstore";

/**
 * The URL below which the simple signatures of an image's repository lie: `lookaside` of containers-registries.d(5), of the narrowest scope
 * that has one.
 * @throws DomainError failed-precondition naming a file that cannot be used
 */
export async function lookasideOf(directory: string, name: DockerName): Promise<string> {
  const { byScope, fallback } = await readDirectory(directory);
  const scope = scopesOf(name).find((one) => byScope.has(one));
  return (scope === undefined ? undefined : byScope.get(scope)) ?? fallback ?? defaultLookaside;
}

interface Lookasides {
  byScope: Map<string, string>;
  fallback: string | undefined;
}

async function readDirectory(directory: string): Promise<Lookasides> {
  const found: Lookasides = { byScope: new Map(), fallback: undefined };
  for (const name of (await namesIn(directory)).filter((one) => one.endsWith(".yaml")).sort()) {
    const file = path.join(directory, name);
    try {
      addFile(found, parsePlainYaml(await readFile(file, "utf8")));
    } catch (error) {
      throw new DomainError("failed-precondition", `${file} cannot be used: ${messageOf(error)}`, {
        facts: { file },
        cause: error,
      });
    }
  }
  return found;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw new DomainError("failed-precondition", `cannot read ${directory}: ${messageOf(error)}`, { cause: error });
  }
}

function addFile(found: Lookasides, document: unknown): void {
  if (document === null) return;
  if (!isObject(document)) throw new Error("it is no map");
  const fallback = urlOf(document["default-docker"]);
  if (fallback !== undefined && found.fallback !== undefined) throw new Error("another file has default-docker, too");
  found.fallback ??= fallback;
  for (const [scope, settings] of Object.entries(isObject(document["docker"]) ? document["docker"] : {})) {
    if (found.byScope.has(scope)) throw new Error(`another file has ${scope}, too`);
    const url = urlOf(settings);
    if (url !== undefined) found.byScope.set(scope, url);
  }
}

/** `sigstore` is the name that `lookaside` had before. */
function urlOf(settings: unknown): string | undefined {
  if (!isObject(settings)) return undefined;
  const url = settings["lookaside"] ?? settings["sigstore"];
  return typeof url === "string" && url !== "" ? url : undefined;
}
