import { DomainError } from "#errors/domain-error.ts";
import type { SectionName } from "./options.ts";

/** Where a value was set. */
export type Origin =
  | { kind: "file"; file: string; line: number | undefined; column: number | undefined }
  | { kind: "environment"; variable: string }
  | { kind: "flag"; flag: string }
  | { kind: "default" };

/** One option set to one value by one source. Later assignments win. */
export interface Assignment {
  section: SectionName;
  /** For an option of a named table: the property of the tables in the section, and the name. */
  table?: { property: string; name: string };
  /** Property in the typed configuration; undefined for a named table that is there but sets nothing. */
  property: string | undefined;
  value: unknown;
  /** As the user writes it, e.g. `crio.runtime.log_level`. */
  path: string;
  origin: Origin;
}

/** Something that does not stop the daemon from starting, but that an operator should know. */
export interface ConfigWarning {
  message: string;
  /** The option or the unknown key, with its table. */
  key: string;
  file?: string;
  line?: number;
  /** What the key may have been meant to be. */
  suggestion?: string;
}

/** Where a value came from, for the start of a sentence: `/etc/crio/crio.conf:12:3`, `--log-level`. */
function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "file":
      return [origin.file, origin.line, origin.column].filter((part) => part !== undefined).join(":");
    case "environment":
      return `environment variable ${origin.variable}`;
    case "flag":
      return `flag --${origin.flag}`;
    case "default":
      return "configuration";
  }
}

/** The error for a value that an option does not take. `problem` continues the sentence "PATH ...". */
export function badValue(path: string, origin: Origin, problem: string): DomainError {
  const position = origin.kind === "file" ? { file: origin.file, line: origin.line, column: origin.column } : {};
  return new DomainError("invalid-argument", `${describeOrigin(origin)}: ${path} ${problem}`, {
    facts: { key: path, ...position },
  });
}

/** A warning about a key, with its file and line where it has one. */
export function warningAt(origin: Origin, key: string, message: string, suggestion?: string): ConfigWarning {
  return {
    message: `${describeOrigin(origin)}: ${message}`,
    key,
    ...(origin.kind === "file" ? { file: origin.file } : {}),
    ...(origin.kind === "file" && origin.line !== undefined ? { line: origin.line } : {}),
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}
