/** What an option takes: nothing, one text, or a text each time it is given. */
export interface OptionSpec {
  kind: "flag" | "text" | "list";
  short?: string;
  /** What the help calls the text. */
  placeholder?: string;
  help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** A command line that is not understood; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A command line taken apart by `parseArguments`. */
export interface ParsedArguments {
  operands: string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): string[];
}

/**
 * Takes `--name`, `--name=text`, `--name text`, `-n` and `-n text` out of `argv`; the rest are operands. After `--`, and
 * after `operandsBeforeCommand` operands, everything is an operand: a container's command keeps its own options.
 * @throws UsageError
 */
export function parseArguments(
  argv: readonly string[],
  specs: OptionSpecs,
  operandsBeforeCommand = Infinity,
): ParsedArguments {
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  const queue = [...argv];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--" || operands.length >= operandsBeforeCommand) {
      operands.push(...(word === "--" ? [] : [word]), ...queue);
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const { name, text } = readOption(word, specs, () => queue.shift());
    given.set(name, [...(given.get(name) ?? []), text]);
  }
  return {
    operands,
    flag: (name) => given.has(name),
    text: (name) => given.get(name)?.at(-1),
    list: (name) => given.get(name) ?? [],
  };
}

function readOption(word: string, specs: OptionSpecs, next: () => string | undefined): { name: string; text: string } {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const written = equals === -1 ? word : word.slice(0, equals);
  const found = Object.entries(specs).find(([name, { short }]) => written === `--${name}` || written === `-${short}`);
  if (found === undefined) throw new UsageError(`unknown option ${written}`);
  const [name, { kind }] = found;
  if (kind === "flag") {
    if (equals !== -1) throw new UsageError(`option ${written} takes no value`);
    return { name, text: "" };
  }
  const text = equals === -1 ? next() : word.slice(equals + 1);
  if (text === undefined) throw new UsageError(`option ${written} needs a value`);
  return { name, text };
}

/** Help lines for options, aligned. */
export function describeOptions(specs: OptionSpecs): string[] {
  const rows = Object.entries(specs).map(([name, { kind, short, placeholder, help }]) => {
    const value = kind === "flag" ? "" : ` ${placeholder ?? "VALUE"}`;
    return [`${short === undefined ? "    " : `-${short}, `}--${name}${value}`, help] as const;
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`);
}
