/** When a mirror may be used: `digest-only` mirrors may lag behind or lie about tags. */
export type PullFromMirror = "all" | "digest-only" | "tag-only";

export interface Mirror {
  /** `host[:port][/path]`. */
  location: string;
  insecure: boolean;
  pullFromMirror: PullFromMirror;
}

/** One [[registry]] table of registries.conf. */
export interface RegistryEntry {
  /** `host[:port][/path]` or `*.example.com`: the references the entry is about. */
  prefix: string;
  /** Replaces the prefix when the reference is fetched. Empty only for a wildcard prefix: nothing is replaced. */
  location: string;
  insecure: boolean;
  blocked: boolean;
  mirrors: readonly Mirror[];
}

export type Table = Record<string, unknown>;

/** The [[registry]] tables of a parsed file. @throws Error for a field that is wrong */
export function readEntries(document: Table): RegistryEntry[] {
  const entries = readTables(document["registry"], "registry").map(readEntry);
  const seen = new Set<string>();
  for (const { prefix } of entries) {
    if (seen.has(prefix)) throw new Error(`two [[registry]] tables have the prefix "${prefix}"`);
    seen.add(prefix);
  }
  return entries;
}

export function readStrings(value: unknown, name: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new Error(`${name} is not a list of strings`);
}

function readEntry(table: Table): RegistryEntry {
  const location = readLocation(table["location"], "location");
  const prefix = readLocation(table["prefix"], "prefix") || location;
  if (prefix === "") throw new Error("a [[registry]] table has neither a prefix nor a location");
  if (prefix.includes("*") && !/^\*\.[^*]+$/.test(prefix))
    throw new Error(`the prefix "${prefix}" may have a * only as in *.example.com`);
  if (location === "" && !prefix.startsWith("*."))
    throw new Error(`the [[registry]] table with the prefix "${prefix}" has no location`);
  if (location.includes("*")) throw new Error(`the location "${location}" may not have a *`);
  const digestOnly = readBoolean(table["mirror-by-digest-only"], "mirror-by-digest-only");
  return {
    prefix,
    location,
    insecure: readBoolean(table["insecure"], "insecure"),
    blocked: readBoolean(table["blocked"], "blocked"),
    mirrors: readTables(table["mirror"], "mirror").map((mirror) => readMirror(mirror, digestOnly)),
  };
}

function readMirror(table: Table, digestOnly: boolean): Mirror {
  const location = readLocation(table["location"], "mirror location");
  if (location === "") throw new Error("a [[registry.mirror]] table has no location");
  const insecure = readBoolean(table["insecure"], "insecure");
  const chosen = table["pull-from-mirror"] ?? "";
  if (chosen !== "" && digestOnly)
    throw new Error(`mirror-by-digest-only and pull-from-mirror of ${location} exclude each other`);
  if (chosen === "") return { location, insecure, pullFromMirror: digestOnly ? "digest-only" : "all" };
  if (chosen === "all" || chosen === "digest-only" || chosen === "tag-only")
    return { location, insecure, pullFromMirror: chosen };
  throw new Error(`pull-from-mirror of ${location} is not one of all, digest-only, tag-only`);
}

/** Locations are written without a scheme; a trailing slash means nothing. */
function readLocation(value: unknown, name: string): string {
  if (value === undefined) return "";
  if (typeof value !== "string") throw new Error(`${name} is not a string`);
  if (/^https?:\/\//.test(value)) throw new Error(`${name} "${value}" must not have a scheme`);
  return value.replace(/\/+$/, "");
}

function readBoolean(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw new Error(`${name} is neither true nor false`);
}

function readTables(value: unknown, name: string): Table[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "object" && item !== null)) return value;
  throw new Error(`${name} is not a list of tables`);
}
