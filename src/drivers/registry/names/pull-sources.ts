import { DomainError, messageOf } from "#errors/domain-error.ts";
import { formatReference, qualify, splitName } from "./reference.ts";
import type { ImageReference } from "../index.ts";
import type { RegistriesConf } from "./registries-conf.ts";
import type { Mirror, RegistryEntry } from "./registry-entry.ts";

/** A place to fetch a reference from. */
export interface PullSource {
  /** The name there. Its registry is the host to connect to; `docker.io` still has its logical name. */
  reference: ImageReference;
  insecure: boolean;
  /** True for the [[registry.mirror]] tables, false for the location itself. */
  mirror: boolean;
}

/**
 * Where to look for `reference`, in order: the mirrors of the [[registry]] table with the longest matching prefix, then
 * its location.
 * @throws DomainError permission-denied when that table says `blocked`
 */
export function pullSources(conf: RegistriesConf, reference: ImageReference): PullSource[] {
  const name = formatReference(reference);
  const match = longestMatch(conf.entries, name, reference.registry.length);
  if (match === undefined) return [{ reference, insecure: false, mirror: false }];
  const { entry, matchedLength } = match;
  if (entry.blocked)
    throw new DomainError("permission-denied", `the registry ${entry.prefix} is blocked in ${conf.files.join(", ")}`, {
      facts: { reference: name, prefix: entry.prefix, reason: "UNKNOWN" },
    });
  const rest = name.slice(matchedLength);
  const mirrors = entry.mirrors
    .filter((mirror) => mayServe(mirror, reference))
    .map((mirror) => ({ reference: rewrite(mirror.location, rest), insecure: mirror.insecure, mirror: true }));
  const own = entry.location === "" ? reference : rewrite(entry.location, rest);
  return [...mirrors, { reference: own, insecure: entry.insecure, mirror: false }];
}

/** @throws DomainError failed-precondition when the location makes no reference of the rest of the name */
function rewrite(location: string, rest: string): ImageReference {
  const name = `${location}${rest}`;
  try {
    const parts = splitName(name);
    if (parts.registry !== undefined) return qualify(parts, parts.registry);
  } catch (error) {
    throw unusableLocation(location, name, error);
  }
  throw unusableLocation(location, name, undefined);
}

function unusableLocation(location: string, name: string, cause: unknown): DomainError {
  const why = cause === undefined ? "it does not begin with a registry" : messageOf(cause);
  return new DomainError(
    "failed-precondition",
    `the location "${location}" of registries.conf turns a reference into "${name}": ${why}`,
    { facts: { location, name }, cause },
  );
}

function mayServe(mirror: Mirror, reference: ImageReference): boolean {
  switch (mirror.pullFromMirror) {
    case "all":
      return true;
    case "digest-only":
      return reference.digest !== undefined;
    case "tag-only":
      return reference.digest === undefined;
  }
}

function longestMatch(entries: readonly RegistryEntry[], name: string, registryLength: number) {
  let best: { entry: RegistryEntry; matchedLength: number } | undefined;
  for (const entry of entries) {
    const matchedLength = matchPrefix(entry.prefix, name, registryLength);
    if (matchedLength === undefined) continue;
    if (best === undefined || entry.prefix.length > best.entry.prefix.length) best = { entry, matchedLength };
  }
  return best;
}

/** How many characters of the name the prefix stands for; undefined when it does not match up to a boundary. */
function matchPrefix(prefix: string, name: string, registryLength: number): number | undefined {
  if (!prefix.startsWith("*."))
    return name.startsWith(prefix) && atBoundary(name, prefix.length) ? prefix.length : undefined;
  // `*.example.com` matches every subdomain at any depth, but not example.com itself; only the host part has the star.
  const suffix = prefix.slice(1);
  for (
    let start = name.indexOf(suffix, 1);
    start !== -1 && start < registryLength;
    start = name.indexOf(suffix, start + 1)
  )
    if (atBoundary(name, start + suffix.length)) return start + suffix.length;
  return undefined;
}

function atBoundary(name: string, end: number): boolean {
  return end === name.length || "/:@".includes(name.charAt(end));
}
