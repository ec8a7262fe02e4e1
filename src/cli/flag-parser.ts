import { DomainError } from "#errors/domain-error.ts";
import { editDistance } from "#lib/edit-distance.ts";

/** A flag that may be given. */
export interface KnownFlag {
  /** Canonical long name first. */
  names: readonly string[];
  short: string | undefined;
  /** Takes no following word: `--flag` is true, `--flag=false` is false. */
  isBoolean: boolean;
}

/** A command line taken apart. */
export interface ParsedFlags {
  /** Values by canonical name, in the order given. */
  values: Map<string, string[]>;
  /** What follows the flags, from the first word that is none. */
  rest: string[];
}

/**
 * Takes flags from the front of `argv`: `--name value`, `--name=value`, `-n value`, `-nvalue`. Stops at the first other
 * word, which `rest` starts with, or after `--`.
 * @throws DomainError invalid-argument for an unknown flag, with the nearest known one, and for a missing value
 */
export function parseFlags(argv: readonly string[], known: readonly KnownFlag[]): ParsedFlags {
  const values = new Map<string, string[]>();
  const queue = [...argv];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") break;
    if (!word.startsWith("-") || word === "-") return { values, rest: [word, ...queue] };
    const { written, attached } = takeApart(word);
    const flag = known.find(({ names, short }) =>
      written.startsWith("--") ? names.includes(written.slice(2)) : short === written.slice(1),
    );
    if (flag === undefined) throw unknownFlag(written, known);
    const value = attached ?? (flag.isBoolean ? "true" : queue.shift());
    if (value === undefined) throw new DomainError("invalid-argument", `flag ${written} needs a value`);
    const name = flag.names[0] ?? written;
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { values, rest: queue };
}

/** Both sets of flags, the later one after the earlier. */
export function joinFlags(earlier: ParsedFlags["values"], later: ParsedFlags["values"]): ParsedFlags["values"] {
  const joined = new Map(earlier);
  for (const [name, values] of later) joined.set(name, [...(joined.get(name) ?? []), ...values]);
  return joined;
}

function takeApart(word: string): { written: string; attached: string | undefined } {
  if (!word.startsWith("--")) {
    const attached = word.slice(2).replace(/^=/, "");
    return { written: word.slice(0, 2), attached: word.length > 2 ? attached : undefined };
  }
  const equals = word.indexOf("=");
  return equals === -1
    ? { written: word, attached: undefined }
    : { written: word.slice(0, equals), attached: word.slice(equals + 1) };
}

function unknownFlag(written: string, known: readonly KnownFlag[]): DomainError {
  const names = written.startsWith("--") ? known.flatMap((flag) => flag.names) : [];
  const word = written.slice(2);
  const [nearest] = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(word.length / 3)))
    .sort((left, right) => left.distance - right.distance);
  const hint = nearest === undefined ? "; see berth help" : `; did you mean --${nearest.name}?`;
  return new DomainError("invalid-argument", `unknown flag ${written}${hint}`);
}
