import type { Check } from "./option.ts";
import { describeValue } from "./value-formats.ts";

/** A path that starts at the root. */
export const absolutePath: Check<string> = (value) =>
  value.startsWith("/") && !value.includes("\0")
    ? undefined
    : `must be an absolute path, found ${describeValue(value)}`;

/** A path that starts at the root, or nothing. */
export const absolutePathOrEmpty: Check<string> = (value) => (value === "" ? undefined : absolutePath(value));

/** Each a path that starts at the root. */
export const absolutePaths: Check<readonly string[]> = each(absolutePath);

/** A number within limits, both included. */
export function between(least: number, most: number): Check<number> {
  return (value) => (value >= least && value <= most ? undefined : `must be from ${least} to ${most}, found ${value}`);
}

/** A number of at least this. */
export function atLeast(least: number): Check<number> {
  return (value) => (value >= least ? undefined : `must be at least ${least}, found ${value}`);
}

/** Every item of a list passes `check`. */
export function each(check: Check<string>): Check<readonly string[]> {
  return (items) => {
    for (const item of items) {
      const problem = check(item);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Text of a given form, described by `form` when it does not match. */
export function matches(pattern: RegExp, form: string): Check<string> {
  return (value) => (pattern.test(value) ? undefined : `must be ${form}, found ${describeValue(value)}`);
}

/** Like `matches`, and nothing is fine too. */
export function emptyOr(check: Check<string>): Check<string> {
  return (value) => (value === "" ? undefined : check(value));
}

/** Every item one of these words. */
export function oneOf(words: readonly string[]): Check<string> {
  return (value) =>
    words.includes(value) ? undefined : `must be one of ${words.join(", ")}, found ${describeValue(value)}`;
}

/** `name=soft:hard` with the resource names of getrlimit(2); -1 is unlimited. */
export const ulimit: Check<string> = (value) => {
  const match = /^([a-z]+)=(-?\d+):(-?\d+)$/.exec(value);
  if (match === null) return `must be name=soft:hard, found ${describeValue(value)}`;
  if (!ulimitNames.has(match[1] ?? "")) {
    return `must name one of ${[...ulimitNames].join(", ")}, found ${describeValue(match[1])}`;
  }
  const [soft, hard] = [Number(match[2]), Number(match[3])];
  const exceeds = hard !== -1 && (soft === -1 || soft > hard);
  return exceeds ? `must have a soft limit within the hard limit, found ${describeValue(value)}` : undefined;
};

const ulimitNames: ReadonlySet<string> = new Set(
  "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** `key=value` with no space around the `=`; dots or slashes between the parts of the key, as sysctl(8) takes them. */
export const sysctl = matches(
  /^[a-z0-9_]+([./][A-Za-z0-9_:@-]+)+=(?! ).*$/,
  'a sysctl "key=value" without spaces around "="',
);

/** `/host`, `/host:/container` or `/host:/container:rwm`. */
export const device = matches(/^\/[^:]*(:\/[^:]*)?(:[rwm]{1,3})?$/, 'a device "/host:/container:rwm"');

/** `NAME=value`. */
export const environmentEntry = matches(/^[^=\s]+=.*$/s, "NAME=value");

/** A list of CPU numbers and ranges, cpuset(7). */
export const cpuSet = emptyOr(matches(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'a CPU list such as "0-3,7"'));

/** A pattern that the engine accepts. */
export const regularExpression: Check<string> = (value) => {
  try {
    void new RegExp(value);
    return undefined;
  } catch (error) {
    return `must be a regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** A capability with or without `CAP_`. */
export const capability = matches(/^(CAP_)?[A-Z][A-Z_]+$/, "a capability such as NET_BIND_SERVICE");
