import { randomBytes } from "node:crypto";

/** A new id of 64 hexadecimal digits. */
export function newId(): string {
  return randomBytes(32).toString("hex");
}
