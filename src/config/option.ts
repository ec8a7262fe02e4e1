import { describeValue, formatDuration, parseDuration, parseSize } from "./value-formats.ts";

/** What reading a raw value gave: the typed value, or a sentence part that says what was allowed and what was found. */
export type Reading<T> = { value: T } | { problem: string };

/** Says what is wrong with a value of the right type, or undefined when nothing is. */
export type Check<T> = (value: T) => string | undefined;

export type OptionType =
  | "string"
  | "boolean"
  | "integer"
  | "duration"
  | "size"
  | "list of strings"
  | "table of strings"
  | "table";

/** Where an option stands: `accepted` options are understood so that a CRI-O configuration works, but change nothing. */
export type OptionStatus = "used" | "accepted";

/** One row of the option table. Everything else (TOML, flags, environment, docs) is derived from it. */
export interface Option<T> {
  readonly kind: "option";
  /** Key in its TOML table. */
  readonly key: string;
  readonly type: OptionType;
  readonly default: T;
  readonly description: string;
  readonly status: OptionStatus;
  /** Takes effect on SIGHUP, without a restart. */
  readonly reloadable: boolean;
  /** Allowed values where there is a closed set. */
  readonly choices: readonly string[];
  /** What to use instead, for options that CRI-O calls deprecated. */
  readonly deprecated: string | undefined;
  /** Long flag without the dashes; the first is the canonical one. */
  readonly flags: readonly string[];
  /** One-letter flag. */
  readonly shortFlag: string | undefined;
  readonly environment: string | undefined;
  /** Reads a value that came from TOML. */
  fromToml(raw: unknown): Reading<T>;
  /** Reads what flags (every occurrence) or an environment variable (one element) said. */
  fromTexts(texts: readonly string[]): Reading<T>;
  /** The value in TOML notation. */
  toToml(value: T): string;
}

export interface OptionSettings<T> {
  default: T;
  description: string;
  status?: OptionStatus;
  reloadable?: boolean;
  deprecated?: string;
  /** Replaces the flag name derived from the key; `[]` for none. */
  flags?: readonly string[];
  shortFlag?: string;
  /** Replaces the variable name derived from the flag (`CONTAINER_<FLAG>`); `null` for none. */
  environment?: string | null;
  check?: Check<T>;
}

interface Codec<T> {
  type: OptionType;
  choices?: readonly string[];
  fromToml(raw: unknown): Reading<T>;
  fromTexts(texts: readonly string[]): Reading<T>;
  toToml(value: T): string;
}

/** A string. */
export function text(key: string, settings: OptionSettings<string>): Option<string> {
  return makeOption(key, settings, {
    type: "string",
    fromToml: (raw) => (typeof raw === "string" ? { value: raw } : mismatch("a string", raw)),
    fromTexts: lastText,
    toToml: (value) => JSON.stringify(value),
  });
}

/** A string out of a closed set. */
export function choice<const C extends string>(
  key: string,
  choices: readonly C[],
  settings: OptionSettings<NoInfer<C>>,
): Option<C> {
  const pick = (raw: unknown): Reading<C> => {
    const found = choices.find((candidate) => candidate === raw);
    return found === undefined ? mismatch(`one of ${choices.map(quote).join(", ")}`, raw) : { value: found };
  };
  return makeOption<C>(key, settings, {
    type: "string",
    choices,
    fromToml: pick,
    fromTexts: (texts) => pick(texts.at(-1)),
    toToml: (value) => JSON.stringify(value),
  });
}

const truths = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((word) => [word, false] as const),
]);

/** A boolean; flags and variables take the words that Go's ParseBool takes. */
export function boolean(key: string, settings: OptionSettings<boolean>): Option<boolean> {
  return makeOption(key, settings, {
    type: "boolean",
    fromToml: (raw) => (typeof raw === "boolean" ? { value: raw } : mismatch("true or false", raw)),
    fromTexts: (texts) => {
      const value = truths.get(texts.at(-1) ?? "");
      return value === undefined ? mismatch("true or false", texts.at(-1)) : { value };
    },
    toToml: String,
  });
}

/** A whole number that a JavaScript number holds exactly. */
export function integer(key: string, settings: OptionSettings<number>): Option<number> {
  const convert = (raw: unknown, source: unknown): Reading<number> => {
    const value = typeof raw === "bigint" ? Number(raw) : Number.NaN;
    return Number.isSafeInteger(value) ? { value } : mismatch("a whole number", source);
  };
  return makeOption(key, settings, {
    type: "integer",
    fromToml: (raw) => convert(raw, raw),
    fromTexts: (texts) => {
      const written = texts.at(-1)?.trim() ?? "";
      return convert(/^[+-]?\d+$/.test(written) ? BigInt(written.replace(/^\+/, "")) : written, written);
    },
    toToml: String,
  });
}

/** A duration, written as in Go (`1m30s`); the value is in milliseconds. A bare TOML integer is nanoseconds, as in CRI-O. */
export function duration(key: string, settings: OptionSettings<number>): Option<number> {
  const parse = (written: string | undefined): Reading<number> => {
    const value = written === "" ? settings.default : parseDuration(written ?? "");
    return value === undefined ? mismatch('a duration such as "30s" or "1m30s"', written) : { value };
  };
  return makeOption(key, settings, {
    type: "duration",
    fromToml: (raw) => {
      if (typeof raw === "bigint") return { value: Number(raw / 1_000_000n) };
      return typeof raw === "string" ? parse(raw) : mismatch('a duration such as "30s" or "1m30s"', raw);
    },
    fromTexts: (texts) => parse(texts.at(-1)?.trim()),
    toToml: (value) => JSON.stringify(formatDuration(value)),
  });
}

/** An amount of memory or disk, written as `12MiB` or as plain bytes; the value is in bytes. */
export function size(key: string, settings: OptionSettings<number>): Option<number> {
  const parse = (written: string, source: unknown): Reading<number> => {
    const value = parseSize(written);
    return value === undefined ? mismatch('an amount such as "12MiB", or bytes', source) : { value };
  };
  return makeOption(key, settings, {
    type: "size",
    fromToml: (raw) => parse(typeof raw === "string" || typeof raw === "bigint" ? String(raw) : "none", raw),
    fromTexts: (texts) => parse(texts.at(-1) ?? "", texts.at(-1)),
    toToml: (value) => JSON.stringify(String(value)),
  });
}

/** A list of strings. One flag or a variable may hold several, separated by commas. */
export function list(key: string, settings: OptionSettings<readonly string[]>): Option<readonly string[]> {
  return makeOption<readonly string[]>(key, settings, {
    type: "list of strings",
    fromToml: (raw) => {
      const isList = Array.isArray(raw) && raw.every((item): item is string => typeof item === "string");
      return isList ? { value: raw } : mismatch("a list of strings", raw);
    },
    fromTexts: (texts) => ({
      value: (texts.length === 1 ? (texts[0] ?? "").split(",") : texts)
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    }),
    toToml: formatList,
  });
}

/** A table whose values are strings. */
export function textTable(
  key: string,
  settings: OptionSettings<ReadonlyMap<string, string>>,
): Option<ReadonlyMap<string, string>> {
  return makeOption<ReadonlyMap<string, string>>(key, settings, {
    type: "table of strings",
    fromToml: (raw) => {
      if (!isTable(raw)) return mismatch("a table of strings", raw);
      const entries: [string, string][] = [];
      for (const [name, value] of Object.entries(raw)) {
        if (typeof value !== "string") return mismatch(`a string for ${quote(name)}`, value);
        entries.push([name, value]);
      }
      return { value: new Map(entries) };
    },
    fromTexts: (texts) => ({ problem: `can only be set in a file, not by ${quote(texts.join(","))}` }),
    toToml: (value) => {
      const pairs = [...value].map(([name, item]) => `${JSON.stringify(name)} = ${JSON.stringify(item)}`);
      return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
    },
  });
}

/** True for a TOML table, as opposed to a list, a date or a plain value. */
export function isTable(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

function makeOption<T>(key: string, settings: OptionSettings<T>, codec: Codec<T>): Option<T> {
  const flags = settings.flags ?? [key.replaceAll("_", "-")];
  const [firstFlag] = flags;
  const derived = firstFlag === undefined ? null : `CONTAINER_${firstFlag.replaceAll("-", "_").toUpperCase()}`;
  const environment = settings.environment === undefined ? derived : settings.environment;
  const checked = (reading: Reading<T>): Reading<T> => {
    if ("problem" in reading) return reading;
    const problem = settings.check?.(reading.value);
    return problem === undefined ? reading : { problem };
  };
  return {
    kind: "option",
    key,
    type: codec.type,
    default: settings.default,
    description: settings.description,
    status: settings.status ?? "used",
    reloadable: settings.reloadable ?? false,
    choices: codec.choices ?? [],
    deprecated: settings.deprecated,
    flags,
    shortFlag: settings.shortFlag,
    environment: environment ?? undefined,
    fromToml: (raw) => checked(codec.fromToml(raw)),
    fromTexts: (texts) => checked(codec.fromTexts(texts)),
    toToml: (value) => codec.toToml(value),
  };
}

function lastText(texts: readonly string[]): Reading<string> {
  return { value: texts.at(-1) ?? "" };
}

function mismatch(allowed: string, found: unknown): { problem: string } {
  return { problem: `must be ${allowed}, found ${describeValue(found)}` };
}

function quote(word: string): string {
  return JSON.stringify(word);
}

function formatList(items: readonly string[]): string {
  const quoted = items.map((item) => JSON.stringify(item));
  const line = `[${quoted.join(", ")}]`;
  return line.length <= 100 ? line : `[\n${quoted.map((item) => `  ${item},\n`).join("")}]`;
}
