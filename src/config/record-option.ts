import { isTable, type Option, type OptionSettings, type Reading } from "./option.ts";
import type { Fields, Values } from "./section.ts";
import { describeValue } from "./value-formats.ts";

/** A table with fixed fields as one option, for the tables inside named tables. Unlike elsewhere an unknown key is an error. */
export function record<F extends Fields>(
  key: string,
  fields: F,
  settings: Pick<OptionSettings<Values<F>>, "description" | "status" | "reloadable">,
): Option<Values<F>> {
  return {
    kind: "option",
    key,
    type: "table",
    default: defaultsOf(fields),
    description: settings.description,
    status: settings.status ?? "used",
    reloadable: settings.reloadable ?? false,
    choices: [],
    deprecated: undefined,
    flags: [],
    shortFlag: undefined,
    environment: undefined,
    fromToml: (raw) => readTable(fields, raw),
    fromTexts: () => ({ problem: "can only be set in a file" }),
    toToml: (value) => writeTable(fields, value),
  };
}

/** The default of every field. */
export function defaultsOf<F extends Fields>(fields: F): Values<F> {
  return Object.fromEntries(Object.entries(fields).map(([name, option]) => [name, option.default])) as Values<F>;
}

function readTable<F extends Fields>(fields: F, raw: unknown): Reading<Values<F>> {
  if (!isTable(raw)) return { problem: `must be a table, found ${describeValue(raw)}` };
  const values: Record<string, unknown> = { ...defaultsOf(fields) };
  const names = new Map(Object.entries(fields).map(([name, option]) => [option.key, name]));
  for (const [key, item] of Object.entries(raw)) {
    const name = names.get(key);
    const option = name === undefined ? undefined : fields[name];
    if (name === undefined || option === undefined) {
      return { problem: `must have keys out of ${[...names.keys()].join(", ")}, found ${JSON.stringify(key)}` };
    }
    const reading = option.fromToml(item);
    if ("problem" in reading) return { problem: `has a bad ${key}: it ${reading.problem}` };
    values[name] = reading.value;
  }
  return { value: values as Values<F> };
}

function writeTable<F extends Fields>(fields: F, value: Values<F>): string {
  const pairs = Object.entries(fields).map(([name, option]) => `${option.key} = ${option.toToml(value[name])}`);
  return `{ ${pairs.join(", ")} }`;
}
