import { invalid } from "./required.ts";

/**
 * Refuses a message that has a NUL character anywhere: paths, arguments, names and values of the kernel all end there.
 * @param field where the message was, for errors
 * @throws DomainError invalid-argument naming the field below it
 */
export function refuseNul(value: unknown, field: string): void {
  const found = findNul(value);
  if (found === undefined) return;
  const where = found.isKey ? `a key of ${field}${found.path}` : `${field}${found.path}`;
  throw invalid(where, `contains a NUL character: ${JSON.stringify(found.text)}`);
}

interface FoundNul {
  path: string;
  text: string;
  isKey: boolean;
}

/** Its path is put together on the way back only: nearly every message has none. */
function findNul(value: unknown): FoundNul | undefined {
  if (typeof value === "string") return value.includes("\0") ? { path: "", text: value, isKey: false } : undefined;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  const isList = Array.isArray(value);
  for (const [key, item] of Object.entries(value)) {
    if (key.includes("\0")) return { path: "", text: key, isKey: true };
    const found = findNul(item);
    if (found !== undefined) return { ...found, path: `${isList ? `[${key}]` : `.${protoName(key)}`}${found.path}` };
  }
  return undefined;
}

function protoName(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A text of one line, which others write into files and logs, without control characters. */
export function oneLine(value: string, field: string): string {
  if (/\p{Cc}/u.test(value)) throw invalid(field, `contains a control character: ${JSON.stringify(value)}`);
  return value;
}

/** A host name as /etc/hosts can hold it; what else a name may be is up to the client. */
export function hostnameText(value: string, field: string): string {
  if (/[\s\p{Cc}#/]/u.test(value)) throw invalid(field, `is not a host name: ${JSON.stringify(value)}`);
  return value;
}

/** A server or search domain of resolv.conf. */
export function word(value: string, field: string): string {
  if (/[\s\p{Cc}]/u.test(value)) throw invalid(field, `contains white space: ${JSON.stringify(value)}`);
  return value;
}

/**
 * The name of a sysctl, its parts between dots or slashes. An empty part would become `..` in the path below /proc/sys.
 */
export function sysctlName(name: string, field: string): string {
  if (!/^[^\s\p{Cc}./]+([./][^\s\p{Cc}./]+)+$/u.test(name))
    throw invalid(field, `has a key that is not the name of a sysctl: ${JSON.stringify(name)}`);
  return name;
}

/** A list of CPUs or memory nodes, cpuset(7), or nothing. */
export function numberList(value: string, field: string): string {
  if (value !== "" && !/^\d+(-\d+(:\d+\/\d+)?)?(,\d+(-\d+(:\d+\/\d+)?)?)*$/.test(value.trim()))
    throw invalid(field, `is not a list of numbers and ranges such as "0-3,7": ${JSON.stringify(value)}`);
  return value;
}
