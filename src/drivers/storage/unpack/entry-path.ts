import { DomainError } from "#errors/domain-error.ts";
import { textOf } from "../tar/entry.ts";

/**
 * An entry's name as a path relative to the layer's root, without `.`, `..` and doubled slashes; "" is the root itself. `..`
 * stops at the root: the kernel confines what symlinks do, this only makes one name of many.
 */
export function entryPath(name: string): string {
  if (!/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(name)) return name;
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** What node:fs and the kernel calls take for a byte string: a string when it is ASCII, else its bytes. */
export function systemPath(byteString: string): string | Buffer {
  return isAscii(byteString) ? byteString : Buffer.from(byteString, "latin1");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** What an entry's name asks for, image-spec layer.md "Whiteouts". */
export type Mark =
  | { kind: "none" }
  /** Hides `path` of the layers below. */
  | { kind: "whiteout"; path: string }
  /** Hides all that layers below have in the directory `path`. */
  | { kind: "opaque"; path: string }
  /** Bookkeeping of AUFS that means nothing here. */
  | { kind: "ignored" };

const none: Mark = { kind: "none" };

/** @throws DomainError invalid-argument for a whiteout of nothing, `.` or `..` */
export function markOf(path: string): Mark {
  const base = path.slice(path.lastIndexOf("/") + 1);
  if (!base.startsWith(".wh.")) return none;
  const parent = parentOf(path);
  if (base === ".wh..wh..opq") return { kind: "opaque", path: parent };
  if (base.startsWith(".wh..wh.")) return { kind: "ignored" };
  const hidden = base.slice(".wh.".length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new DomainError("invalid-argument", `${textOf(path)}: a whiteout must name a file`);
  }
  return { kind: "whiteout", path: parent === "" ? hidden : `${parent}/${hidden}` };
}
