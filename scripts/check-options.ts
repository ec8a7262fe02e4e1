// Finds options of the configuration that the table calls used although nothing outside src/config/ names their property,
// and options that it calls accepted (without effect) although something does. Exit status 1 when there is any.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { sectionList } from "#config/options.ts";
import type { Fields } from "#config/section.ts";

const source = path.resolve(import.meta.dirname, "../src");
const readers = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !/^(config\/options|cri\/gen)/.test(name),
);
const textOf = (names: readonly string[]) =>
  names.map((name) => readFileSync(path.join(source, name), "utf8")).join("\n");
// The files of config/ that derive values from options (paths, handlers) read them on behalf of others.
const everywhere = textOf(readers);
const outside = textOf(readers.filter((name) => !name.startsWith("config/")));

function findings(table: string, fields: Fields): string[] {
  return Object.entries(fields).flatMap(([property, { key, status }]) => {
    const name = new RegExp(`\\b${property}\\b`);
    if (status === "used" && !name.test(everywhere))
      return [`${table}.${key} is called used, but nothing reads ${property}`];
    // Common words such as `enable` are found anywhere; only telling names allow the opposite conclusion.
    const isTelling = /[A-Z].*[A-Z]/.test(property);
    if (status === "accepted" && isTelling && name.test(outside))
      return [`${table}.${key} is called accepted, but ${property} is read`];
    return [];
  });
}

const all = sectionList.flatMap(([, section]) => [
  ...findings(section.table, section.fields),
  ...Object.values(section.tables).flatMap((named) => findings(`${section.table}.${named.key}.NAME`, named.fields)),
]);
process.stdout.write(all.map((line) => `${line}\n`).join(""));
process.exitCode = all.length === 0 ? 0 : 1;
