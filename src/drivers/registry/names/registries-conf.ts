import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "smol-toml";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { type RegistryEntry, type Table, readEntries, readStrings } from "./registry-entry.ts";

export type ShortNameMode = "enforcing" | "permissive" | "disabled";

/** What registries.conf and its drop-ins say together, containers-registries.conf(5) version 2. */
export interface RegistriesConf {
  /** The files that were read, in order, for messages. */
  files: readonly string[];
  unqualifiedSearchRegistries: readonly string[];
  shortNameMode: ShortNameMode;
  /** Short name to `registry/repository`. */
  aliases: ReadonlyMap<string, string>;
  entries: readonly RegistryEntry[];
}

interface ConfFile {
  path: string;
  unqualifiedSearchRegistries?: string[];
  shortNameMode?: ShortNameMode;
  aliases: Map<string, string>;
  entries: RegistryEntry[];
}

/**
 * Reads `file`, then every `*.conf` of each directory in lexical order. A later file replaces the search registries and
 * the mode, replaces the [[registry]] tables with the same prefix, and adds aliases (an empty value removes one).
 * What does not exist is skipped.
 * @throws DomainError failed-precondition naming the file, for what cannot be read or is not valid
 */
export async function loadRegistriesConf(file: string, directories: readonly string[]): Promise<RegistriesConf> {
  const paths = [file];
  for (const directory of directories) paths.push(...(await dropIns(directory)));
  const files: ConfFile[] = [];
  for (const path of paths) {
    const text = await readIfPresent(path);
    if (text !== undefined) files.push(parseConfFile(path, text));
  }
  return merge(files);
}

/** @throws DomainError failed-precondition for what is not version 2 of the format */
function parseConfFile(path: string, text: string): ConfFile {
  try {
    const document = parse(text);
    if (isTable(document["registries"])) throw new Error("version 1 of the format is not supported, only version 2");
    const conf: ConfFile = { path, aliases: readAliases(document["aliases"]), entries: readEntries(document) };
    const search = document["unqualified-search-registries"];
    if (search !== undefined) conf.unqualifiedSearchRegistries = readStrings(search, "unqualified-search-registries");
    const mode = document["short-name-mode"];
    if (mode !== undefined && mode !== "") conf.shortNameMode = readMode(mode);
    return conf;
  } catch (error) {
    throw new DomainError("failed-precondition", `cannot use ${path}: ${messageOf(error)}`, {
      facts: { path },
      cause: error,
    });
  }
}

function merge(files: readonly ConfFile[]): RegistriesConf {
  const aliases = new Map<string, string>();
  const entries = new Map<string, RegistryEntry>();
  let search: readonly string[] = [];
  let shortNameMode: ShortNameMode = "permissive";
  for (const file of files) {
    search = file.unqualifiedSearchRegistries ?? search;
    shortNameMode = file.shortNameMode ?? shortNameMode;
    for (const entry of file.entries) entries.set(entry.prefix, entry);
    for (const [name, target] of file.aliases) {
      if (target === "") aliases.delete(name);
      else aliases.set(name, target);
    }
  }
  return {
    files: files.map((file) => file.path),
    unqualifiedSearchRegistries: search,
    shortNameMode,
    aliases,
    entries: [...entries.values()],
  };
}

function readMode(value: unknown): ShortNameMode {
  if (value === "enforcing" || value === "permissive" || value === "disabled") return value;
  throw new Error(`short-name-mode is ${JSON.stringify(value)}, not one of enforcing, permissive, disabled`);
}

function readAliases(value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isTable(value)) throw new Error("aliases is not a table");
  return new Map(
    Object.entries(value).map(([name, target]) => {
      if (typeof target !== "string") throw new Error(`the alias ${name} is not a string`);
      return [name, target];
    }),
  );
}

async function dropIns(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith(".conf"))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw unreadable(directory, error);
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): DomainError {
  return new DomainError("failed-precondition", `cannot read ${path}: ${messageOf(cause)}`, { facts: { path }, cause });
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
