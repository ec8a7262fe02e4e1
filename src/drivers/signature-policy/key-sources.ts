import { readFile } from "node:fs/promises";
import { messageOf } from "#errors/domain-error.ts";

/** Where keys or certificates come from: files, or the bytes themselves. */
export interface KeySources {
  paths: readonly string[];
  /** base64. */
  data: readonly string[];
}

/** As `findSources`, but one of the fields has to be there. @throws Error naming `where` */
export function requireSources(value: Record<string, unknown>, fields: readonly string[], where: string): KeySources {
  const found = findSources(value, fields, where);
  if (found === undefined) throw new Error(`${where} needs one of ${fields.join(", ")}`);
  return found;
}

/**
 * Reads the one field of these that an object has. By its name it holds a path or data in base64, or lists of such: `keyPath`, `keyPaths`,
 * `keyData`, `keyDatas`.
 * @throws Error naming `where`
 */
export function findSources(
  value: Record<string, unknown>,
  fields: readonly string[],
  where: string,
): KeySources | undefined {
  const given = fields.filter((field) => value[field] !== undefined);
  const [field] = given;
  if (field === undefined) return undefined;
  if (given.length > 1) throw new Error(`${where} may have only one of ${given.join(", ")}`);
  const found = value[field];
  const texts: unknown[] = field.endsWith("s") ? (Array.isArray(found) ? found : []) : [found];
  if (texts.length === 0 || !texts.every((text) => typeof text === "string" && text !== ""))
    throw new Error(`${where}.${field} is not what it should be`);
  const strings = texts.map(String);
  return /Paths?$/.test(field) ? { paths: strings, data: [] } : { paths: [], data: strings };
}

/** @throws Error naming the file that cannot be read */
export async function readSources({ paths, data }: KeySources): Promise<Buffer[]> {
  const read = paths.map(async (file) => {
    try {
      return await readFile(file);
    } catch (error) {
      throw new Error(`the key ${file} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  });
  return [...(await Promise.all(read)), ...data.map((text) => Buffer.from(text, "base64"))];
}
