const nanosecondsPer: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Milliseconds of a duration in Go's notation (`1h30m`, `1.5s`, `250ms`, `0`); undefined for anything else. */
export function parseDuration(written: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(written);
  if (match === null) return /^[+-]?0$/.test(written) ? 0 : undefined;
  let nanoseconds = 0;
  for (const part of written.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    nanoseconds += Number(part[1]) * (nanosecondsPer[part[2] ?? ""] ?? Number.NaN);
  }
  return (match[1] === "-" ? -nanoseconds : nanoseconds) / 1e6;
}

/** A duration in Go's notation, without units that are zero. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  if (Math.abs(milliseconds) < 1000) return `${milliseconds}ms`;
  const sign = milliseconds < 0 ? "-" : "";
  const rest = Math.abs(milliseconds);
  const units: [string, number][] = [
    ["h", Math.floor(rest / 3_600_000)],
    ["m", Math.floor((rest % 3_600_000) / 60_000)],
    ["s", (rest % 60_000) / 1000],
  ];
  return sign + units.map(([unit, amount]) => (amount === 0 ? "" : `${amount}${unit}`)).join("");
}

/** Bytes of `12MiB`, `500 KiB`, `1g` or plain digits; k, m, g, t are powers of 1024 as in docker/go-units' RAM sizes. */
export function parseSize(written: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(written.trim());
  if (match === null) return undefined;
  const power = " kmgtp".indexOf((match[2] ?? "").toLowerCase() || " ");
  const bytes = Math.round(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A found value for use in a sentence: its type and, where short, the value. */
export function describeValue(found: unknown): string {
  if (found === undefined) return "nothing";
  if (typeof found === "string") return `the string ${JSON.stringify(shorten(found))}`;
  if (typeof found === "bigint") return `the integer ${found}`;
  if (typeof found === "number") return `the number ${found}`;
  if (typeof found === "boolean") return `the boolean ${found}`;
  if (found instanceof Date) return "a date";
  if (Array.isArray(found)) return `a list of ${found.length}`;
  return "a table";
}

function shorten(word: string): string {
  return word.length <= 80 ? word : `${word.slice(0, 77)}...`;
}
