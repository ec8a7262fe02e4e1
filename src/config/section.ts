import type { Option } from "./option.ts";

/** The fields of a TOML table: property name of the typed configuration → option. */
export type Fields = Readonly<Record<string, Option<unknown>>>;

/** Tables that the user names, such as `[crio.runtime.runtimes.NAME]`. */
export interface NamedTables<F extends Fields> {
  readonly kind: "named-tables";
  readonly key: string;
  readonly description: string;
  readonly reloadable: boolean;
  readonly fields: F;
  /** Tables that exist without being written down, as changes to the defaults of the fields. */
  readonly default: ReadonlyMap<string, Partial<Values<F>>>;
  /** Flag that takes a whole table in a compact notation, and how to read it. */
  readonly flag?: CompactFlag<F>;
}

export interface CompactFlag<F extends Fields> {
  readonly name: string;
  readonly environment: string;
  readonly notation: string;
  /** Field texts of one written table; undefined when `written` does not follow the notation. */
  parse(written: string): { name: string; texts: Partial<Record<keyof F, string>> } | undefined;
}

/** One TOML table with its options, and the tables named by the user beneath it. */
export interface Section<F extends Fields, T extends Readonly<Record<string, NamedTables<Fields>>>> {
  /** Path of the table, e.g. `crio.runtime`. */
  readonly table: string;
  readonly description: string;
  readonly fields: F;
  readonly tables: T;
}

/** The typed values of a table's fields. */
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Option<infer V> ? V : never };

/** The typed values of a section: its options, and a map per kind of named table. */
export type SectionValues<S> =
  S extends Section<infer F, infer T>
    ? Values<F> & { readonly [K in keyof T]: ReadonlyMap<string, Values<T[K]["fields"]>> }
    : never;

/** Any section, for code that walks the table of options. */
export type AnySection = Section<Fields, Readonly<Record<string, NamedTables<Fields>>>>;

/** Declares a section, keeping the exact type of its fields. */
export function section<F extends Fields, T extends Readonly<Record<string, NamedTables<Fields>>> = {}>(
  table: string,
  description: string,
  fields: F,
  tables?: T,
): Section<F, T> {
  return { table, description, fields, tables: tables ?? ({} as T) };
}
