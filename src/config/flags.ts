import { type Assignment, badValue, type Origin } from "./assignment.ts";
import type { Option } from "./option.ts";
import { sectionList, type SectionName } from "./options.ts";
import type { CompactFlag, Fields, NamedTables } from "./section.ts";

/** What was given on the command line, by canonical flag name, in order. */
export type FlagValues = ReadonlyMap<string, readonly string[]>;

/** A flag as the command line and the help text know it. */
export interface FlagDefinition {
  /** Canonical name first, then other long names. */
  names: readonly string[];
  short: string | undefined;
  /** A boolean flag stands for true when no value is attached by `=`. */
  isBoolean: boolean;
  description: string;
}

/** All flags that set options. */
export function flagDefinitions(): FlagDefinition[] {
  const plain = rows().map(({ option }) => ({
    names: option.flags,
    short: option.shortFlag,
    isBoolean: option.type === "boolean",
    description: option.description,
  }));
  const compact = compactRows().map(({ flag, tables }) => ({
    names: [flag.name],
    short: undefined,
    isBoolean: false,
    description: `${tables.description} Notation: ${flag.notation}`,
  }));
  return [...plain.filter(({ names }) => names.length > 0), ...compact];
}

/** What flags set. @throws DomainError invalid-argument for a value that an option does not take */
export function flagAssignments(flags: FlagValues): Assignment[] {
  const assignments: Assignment[] = [];
  for (const row of rows()) {
    const [flag] = row.option.flags;
    const texts = flag === undefined ? undefined : flags.get(flag);
    if (flag !== undefined && texts !== undefined) assignments.push(assign(row, texts, { kind: "flag", flag }));
  }
  for (const row of compactRows()) {
    const written = flags.get(row.flag.name) ?? [];
    assignments.push(...assignCompact(row, written, { kind: "flag", flag: row.flag.name }));
  }
  return assignments;
}

/** What environment variables set; empty ones set nothing. @throws DomainError invalid-argument */
export function environmentAssignments(environment: Readonly<Record<string, string | undefined>>): Assignment[] {
  const assignments: Assignment[] = [];
  for (const row of rows()) {
    const variable = row.option.environment;
    const text = variable === undefined ? undefined : environment[variable];
    if (variable === undefined || text === undefined || text === "") continue;
    assignments.push(assign(row, [text], { kind: "environment", variable }));
  }
  for (const row of compactRows()) {
    const variable = row.flag.environment;
    const written = (environment[variable] ?? "").split(",").filter((item) => item !== "");
    assignments.push(...assignCompact(row, written, { kind: "environment", variable }));
  }
  return assignments;
}

interface Row {
  section: SectionName;
  property: string;
  path: string;
  option: Option<unknown>;
}

function rows(): Row[] {
  return sectionList.flatMap(([section, { table, fields }]) =>
    Object.entries(fields).map(([property, option]) => ({
      section,
      property,
      path: `${table}.${option.key}`,
      option,
    })),
  );
}

function assign(row: Row, texts: readonly string[], origin: Origin): Assignment {
  const { section, property, path, option } = row;
  const reading = option.fromTexts(texts);
  if ("problem" in reading) throw badValue(path, origin, reading.problem);
  return { section, property, value: reading.value, path, origin };
}

interface CompactRow {
  section: SectionName;
  property: string;
  path: string;
  tables: NamedTables<Fields>;
  flag: CompactFlag<Fields>;
}

function compactRows(): CompactRow[] {
  return sectionList.flatMap(([section, { table, tables }]) =>
    Object.entries(tables).flatMap(([property, named]) =>
      named.flag === undefined
        ? []
        : [{ section, property, path: `${table}.${named.key}`, tables: named, flag: named.flag }],
    ),
  );
}

function assignCompact(row: CompactRow, written: readonly string[], origin: Origin): Assignment[] {
  return written.flatMap((item) => {
    const parsed = row.flag.parse(item);
    if (parsed === undefined) {
      throw badValue(row.path, origin, `must be ${row.flag.notation}, found ${JSON.stringify(item)}`);
    }
    const table = { property: row.property, name: parsed.name };
    const base = `${row.path}.${parsed.name}`;
    const assignments: Assignment[] = [
      { section: row.section, table, property: undefined, value: undefined, path: base, origin },
    ];
    for (const [property, text] of Object.entries(parsed.texts)) {
      const option = row.tables.fields[property];
      if (option === undefined || text === undefined) continue;
      const field = { section: row.section, property, path: `${base}.${option.key}`, option };
      assignments.push({ ...assign(field, [text], origin), table });
    }
    return assignments;
  });
}
