import { type Config, sectionList } from "./options.ts";
import { defaultsOf } from "./record-option.ts";
import type { AnySection, Fields, NamedTables } from "./section.ts";

/** The configuration that holds when nothing is set anywhere. */
export function defaultConfig(): Config {
  const values = sectionList.map(([name, section]) => [name, sectionDefaults(section)] as const);
  return Object.fromEntries(values) as unknown as Config;
}

/** The values of one named table that says nothing itself, with what its name stands for built in. */
export function namedTableDefaults(tables: NamedTables<Fields>, name: string): Record<string, unknown> {
  return { ...defaultsOf(tables.fields), ...tables.default.get(name) };
}

function sectionDefaults(section: AnySection): Record<string, unknown> {
  const values: Record<string, unknown> = { ...defaultsOf(section.fields) };
  for (const [property, tables] of Object.entries(section.tables)) {
    const names = [...tables.default.keys()];
    values[property] = new Map(names.map((name) => [name, namedTableDefaults(tables, name)]));
  }
  return values;
}
