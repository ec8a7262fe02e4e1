import { DomainError, messageOf } from "#errors/domain-error.ts";
import { isSecretName, redacted, redactText } from "./redact.ts";

/** What a log line is made of: JSON values, secrets taken out, depth and lengths bounded. */
export type PlainValue = string | number | boolean | null | PlainValue[] | { [name: string]: PlainValue };

const longestText = 8192;
const mostItems = 100;
const deepest = 5;

/** Any value in a form that a log line can hold; never throws, whatever getters and cycles the value has. */
function plainValue(value: unknown, depth = 0): PlainValue {
  switch (typeof value) {
    case "string":
      return redactText(value.length > longestText ? `${value.slice(0, longestText)}...` : value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "undefined":
      return null;
    case "function":
    case "symbol":
      return String(value).slice(0, 80);
    case "object":
      return value === null ? null : plainObject(value, depth);
  }
}

/** The fields of a record, those with undefined values left out and those with secret names redacted. */
export function plainFields(entries: Iterable<readonly [unknown, unknown]>, depth = 0): { [name: string]: PlainValue } {
  const fields: { [name: string]: PlainValue } = Object.create(null);
  let left = mostItems;
  for (const [name, value] of entries) {
    if (value === undefined || left-- <= 0) continue;
    const key = String(name);
    fields[key] = isSecretName(key) && value !== "" ? redacted : plainValue(value, depth + 1);
  }
  return fields;
}

function plainObject(value: object, depth: number): PlainValue {
  try {
    if (value instanceof Error) return plainError(value, depth);
    if (value instanceof Date) return value.toISOString();
    if (value instanceof RegExp || value instanceof URL) return redactText(String(value));
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (depth >= deepest) return Array.isArray(value) ? "[list]" : "[object]";
    if (Array.isArray(value) || value instanceof Set) {
      return [...value].slice(0, mostItems).map((item) => plainValue(item, depth + 1));
    }
    return plainFields(value instanceof Map ? value : Object.entries(value), depth);
  } catch (error) {
    return `[unreadable: ${messageOf(error)}]`;
  }
}

/** An error expected by the domain is its sentence and facts; any other is a bug, whose stack is worth its space. */
function plainError(error: Error, depth: number): PlainValue {
  const fields = plainFields(
    error instanceof DomainError
      ? [["kind", error.kind], ...Object.entries(error.facts)]
      : [
          [
            "stack",
            error.stack
              ?.split("\n")
              .slice(1, 12)
              .map((line) => line.trim()),
          ],
        ],
    depth,
  );
  const cause = error.cause === undefined || depth >= deepest ? {} : { cause: plainValue(error.cause, depth + 1) };
  return { message: redactText(messageOf(error)), ...fields, ...cause };
}
