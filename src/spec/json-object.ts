/** @throws Error when the bytes are not the JSON of an object */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  return requireObject(value, "the document");
}

/** @throws Error naming `name` */
export function requireObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error(`${name} is not an object`);
}
