import { type Config, sectionList } from "./options.ts";
import type { Fields } from "./section.ts";

/** One option that differs between two configurations, in TOML notation. */
export interface OptionChange {
  /** e.g. `crio.runtime.log_level`. */
  path: string;
  before: string;
  after: string;
}

export interface Reload {
  /** The old configuration with the changed reloadable options taken from the new one. */
  config: Config;
  /** In effect with `config`. */
  changed: OptionChange[];
  /** Changed in the sources, but only a restart makes them count. */
  needRestart: OptionChange[];
}

/** What a reload changes: options that may change while the daemon runs do, the others stay as they were. */
export function reload(before: Config, after: Config): Reload {
  const result: Reload = { config: before, changed: [], needRestart: [] };
  const next: Record<string, Record<string, unknown>> = {};
  for (const [name, section] of sectionList) {
    const oldValues: Readonly<Record<string, unknown>> = before[name];
    const newValues: Readonly<Record<string, unknown>> = after[name];
    const values: Record<string, unknown> = { ...oldValues };
    for (const [property, option] of Object.entries(section.fields)) {
      const change = compare(`${section.table}.${option.key}`, (value) => option.toToml(value), [
        oldValues[property],
        newValues[property],
      ]);
      if (change === undefined) continue;
      (option.reloadable ? result.changed : result.needRestart).push(change);
      if (option.reloadable) values[property] = newValues[property];
    }
    for (const [property, tables] of Object.entries(section.tables)) {
      const toToml = (value: unknown) => tablesToToml(tables.fields, value);
      const change = compare(`${section.table}.${tables.key}`, toToml, [oldValues[property], newValues[property]]);
      if (change === undefined) continue;
      (tables.reloadable ? result.changed : result.needRestart).push(change);
      if (tables.reloadable) values[property] = newValues[property];
    }
    next[name] = values;
  }
  return { ...result, config: next as unknown as Config };
}

function compare(
  path: string,
  toToml: (value: unknown) => string,
  [old, young]: readonly [unknown, unknown],
): OptionChange | undefined {
  const before = toToml(old);
  const after = toToml(young);
  return before === after ? undefined : { path, before, after };
}

function tablesToToml(fields: Fields, tables: unknown): string {
  const entries = tables instanceof Map ? [...(tables as ReadonlyMap<string, Record<string, unknown>>)] : [];
  const written = entries.map(([name, values]) => {
    const pairs = Object.entries(fields).map(
      ([property, option]) => `${option.key} = ${option.toToml(values[property])}`,
    );
    return `${JSON.stringify(name)} = { ${pairs.join(", ")} }`;
  });
  return `{ ${written.join(", ")} }`;
}
