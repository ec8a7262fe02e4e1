import { wrapText } from "#lib/wrap-text.ts";
import { namedTableDefaults } from "./default-config.ts";
import type { Option } from "./option.ts";
import { type Config, sectionList } from "./options.ts";
import type { Fields, NamedTables } from "./section.ts";

const width = 110;

/**
 * The configuration as TOML that berth and CRI-O read, every option with its description. Options that have their
 * default are comments, so that the file keeps following the defaults of later versions.
 */
export function renderToml(config: Config): string {
  const lines = comment(
    "Configuration of berth, in the format of CRI-O's crio.conf(5). Options that are commented out show their defaults.",
  );
  for (const [name, section] of sectionList) {
    const values: Readonly<Record<string, unknown>> = config[name];
    lines.push("", ...comment(section.description), `[${section.table}]`);
    for (const [property, option] of Object.entries(section.fields)) {
      lines.push("", ...comment(explain(option)), ...entry(option, values[property], option.default));
    }
    for (const [property, tables] of Object.entries(section.tables)) {
      lines.push("", ...renderTables(`${section.table}.${tables.key}`, tables, values[property]));
    }
  }
  return `${lines.join("\n")}\n`;
}

/** What an option does, with the remarks that hold for it. */
export function explain(option: Option<unknown>): string {
  const remarks = [
    option.description,
    option.choices.length > 0 ? `One of ${option.choices.map((word) => JSON.stringify(word)).join(", ")}.` : "",
    option.deprecated === undefined ? "" : `Deprecated. ${option.deprecated}`,
    option.status === "accepted" ? "Accepted for compatibility with CRI-O; has no effect in berth." : "",
    option.reloadable ? "Reloadable." : "",
  ];
  return remarks.filter((remark) => remark !== "").join(" ");
}

function renderTables(path: string, tables: NamedTables<Fields>, value: unknown): string[] {
  const lines = comment(`Tables [${path}.NAME]. ${tables.description}`);
  for (const option of Object.values(tables.fields)) {
    lines.push(...comment(`${option.key}: ${explain(option)}`, "  "));
  }
  const entries = value instanceof Map ? (value as ReadonlyMap<string, Readonly<Record<string, unknown>>>) : new Map();
  for (const [name, values] of entries) {
    const defaults = namedTableDefaults(tables, String(name));
    lines.push("", `[${path}.${formatKey(String(name))}]`);
    for (const [property, option] of Object.entries(tables.fields)) {
      lines.push(...entry(option, (values as Record<string, unknown>)[property], defaults[property]));
    }
  }
  return lines;
}

function entry(option: Option<unknown>, value: unknown, defaultValue: unknown): string[] {
  const written = option.toToml(value);
  const line = `${option.key} = ${written}`;
  return written === option.toToml(defaultValue) ? line.split("\n").map((part) => `# ${part}`) : [line];
}

function comment(words: string, indent = ""): string[] {
  return wrapText(words, width).map((line, index) => `# ${index === 0 ? "" : indent}${line}`);
}

function formatKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}
