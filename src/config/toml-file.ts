import { readFile } from "node:fs/promises";
import { parse, TomlError } from "smol-toml";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { type Assignment, badValue, type ConfigWarning, type Origin, warningAt } from "./assignment.ts";
import { isTable } from "./option.ts";
import { sectionList, type SectionName } from "./options.ts";
import type { AnySection, Fields, NamedTables } from "./section.ts";
import { nearestKey } from "./nearest-key.ts";
import { type TomlPositions, tomlPositions } from "./toml-positions.ts";

/** What one file says. */
export interface FileContent {
  assignments: Assignment[];
  warnings: ConfigWarning[];
}

/**
 * Reads one configuration file.
 * @throws DomainError invalid-argument with file, line and column for broken TOML and for values that an option does
 *   not take; not-found when the file is missing; internal when it cannot be read
 */
export async function readConfigFile(file: string): Promise<FileContent> {
  let source: string;
  try {
    source = await readFile(file, "utf8");
  } catch (error) {
    const kind = error instanceof Error && "code" in error && error.code === "ENOENT" ? "not-found" : "internal";
    throw new DomainError(kind, `configuration file ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return parseConfigFile(file, source);
}

/** As `readConfigFile`, for text at hand. `file` is for messages. */
function parseConfigFile(file: string, source: string): FileContent {
  const reader: Reader = { file, positions: tomlPositions(source), assignments: [], warnings: [] };
  readTable(reader, [], parseToml(file, source));
  return { assignments: reader.assignments, warnings: reader.warnings };
}

interface Reader extends FileContent {
  file: string;
  positions: TomlPositions;
}

function parseToml(file: string, source: string): Record<string, unknown> {
  try {
    return parse(source.replace(/^\uFEFF/, ""), { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split("\n");
    throw new DomainError("invalid-argument", `${file}:${error.line}:${error.column}: ${reason}`, {
      facts: { file, line: error.line, column: error.column },
      cause: error,
    });
  }
}

/** Reads a table of the schema: its options, the tables that the user names, and the sections beneath it. */
function readTable(reader: Reader, path: readonly string[], raw: Record<string, unknown>): void {
  const found = sectionList.find(([, section]) => section.table === path.join("."));
  for (const [key, value] of Object.entries(raw)) {
    const keyPath = [...path, key];
    if (found !== undefined && readOption(reader, found, keyPath, key, value)) continue;
    if (found !== undefined && readNamedTables(reader, found, keyPath, key, value)) continue;
    const dotted = keyPath.join(".");
    const leads = sectionList.some(([, { table }]) => table === dotted || table.startsWith(`${dotted}.`));
    if (leads) readTable(reader, keyPath, expectTable(reader, keyPath, value));
    else warnUnknown(reader, keyPath);
  }
}

function readOption(
  reader: Reader,
  [name, section]: readonly [SectionName, AnySection],
  path: readonly string[],
  key: string,
  raw: unknown,
): boolean {
  return readField(reader, { section: name }, section.fields, path, key, raw);
}

function readField(
  reader: Reader,
  place: Pick<Assignment, "section" | "table">,
  fields: Fields,
  path: readonly string[],
  key: string,
  raw: unknown,
): boolean {
  const field = Object.entries(fields).find(([, option]) => option.key === key);
  if (field === undefined) return false;
  const [property, option] = field;
  const origin = originOf(reader, path);
  const reading = option.fromToml(raw);
  if ("problem" in reading) throw badValue(path.join("."), origin, reading.problem);
  reader.assignments.push({ ...place, property, value: reading.value, path: path.join("."), origin });
  return true;
}

function readNamedTables(
  reader: Reader,
  [section, { tables }]: readonly [SectionName, AnySection],
  path: readonly string[],
  key: string,
  raw: unknown,
): boolean {
  const found = Object.entries(tables).find(([, candidate]) => candidate.key === key);
  if (found === undefined) return false;
  const [property, named] = found;
  for (const [name, table] of Object.entries(expectTable(reader, path, raw))) {
    readNamedTable(reader, { section, table: { property, name } }, named, [...path, name], table);
  }
  return true;
}

function readNamedTable(
  reader: Reader,
  place: Required<Pick<Assignment, "section" | "table">>,
  named: NamedTables<Fields>,
  path: readonly string[],
  raw: unknown,
): void {
  const table = expectTable(reader, path, raw);
  reader.assignments.push({
    ...place,
    property: undefined,
    value: undefined,
    path: path.join("."),
    origin: originOf(reader, path),
  });
  for (const [key, value] of Object.entries(table)) {
    if (!readField(reader, place, named.fields, [...path, key], key, value)) warnUnknown(reader, [...path, key]);
  }
}

function expectTable(reader: Reader, path: readonly string[], raw: unknown): Record<string, unknown> {
  if (isTable(raw)) return raw;
  throw badValue(path.join("."), originOf(reader, path), "must be a table");
}

function warnUnknown(reader: Reader, path: readonly string[]): void {
  const key = path.join(".");
  const suggestion = nearestKey(path);
  const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
  const message = `unknown option ${key} is ignored${hint}`;
  reader.warnings.push(warningAt(originOf(reader, path), key, message, suggestion));
}

function originOf(reader: Reader, path: readonly string[]): Origin {
  const position = reader.positions.find(path);
  return { kind: "file", file: reader.file, line: position?.line, column: position?.column };
}
