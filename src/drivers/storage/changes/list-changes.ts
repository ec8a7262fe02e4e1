import { closeSync, lstatSync, openSync, readdirSync, writeSync } from "node:fs";
import { isWhiteout } from "../tree/overlay-entry.ts";
import { systemPath } from "../unpack/entry-path.ts";
import { below, isOpaque, isRedirected, namesIn } from "./lower-layers.ts";
import type { LowerDirectories } from "./lower-layers.ts";

export interface ListChangesRequest {
  /** The writable layer. */
  upper: string;
  /** The layers below, the nearest first. */
  lowers: string[];
  /** Where both are mounted as one. */
  merged: string;
  /** Paths in the root, relative, that are left out; what lies below them is not. */
  ignored: readonly string[];
  /** A new file for the names of what was added or changed: relative, each ended by NUL, directories before their content. */
  listFile: string;
}

export interface ListedChanges {
  changed: number;
  /** Relative paths of what the layers below have and the container has deleted; of a deleted directory only its own. */
  deleted: string[];
}

interface Directory {
  /** Relative; "" is the root. */
  path: string;
  lowers: LowerDirectories;
  /** The layers below are not seen through it. */
  hides: boolean;
  /** It was renamed: its content is seen in the merged root only, and is listed whole. */
  redirected: boolean;
}

/**
 * Finds what a container has written, from the upper layer of its overlay alone: nothing that it has left alone is looked at. The
 * container must not write meanwhile. Synchronous: for workers.
 */
export function listChanges(request: ListChangesRequest): ListedChanges {
  const ignored = new Set(request.ignored.map(byteString));
  const [upper, merged] = [byteString(request.upper), byteString(request.merged)];
  const deleted: string[] = [];
  using list = new ListFile(request.listFile);
  const pending: Directory[] = [{ path: "", lowers: request.lowers.map(byteString), hides: false, redirected: false }];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { path, redirected } = directory;
    const place = within(redirected ? merged : upper, path);
    const names = new Set<string>();
    for (const entry of readdirSync(systemPath(place), { encoding: "buffer", withFileTypes: true })) {
      const name = entry.name.toString("latin1");
      const child = within(path, name);
      names.add(name);
      if (entry.isCharacterDevice() && isWhiteout(lstatSync(systemPath(within(place, name))))) deleted.push(child);
      else {
        if (!ignored.has(child)) list.add(child);
        if (entry.isDirectory()) pending.push(descend(directory, within(place, name), name));
      }
    }
    if (directory.hides)
      for (const name of namesIn(directory.lowers)) if (!names.has(name)) deleted.push(within(path, name));
  }
  return { changed: list.count, deleted: deleted.map((path) => Buffer.from(path, "latin1").toString()) };
}

function descend(parent: Directory, place: string, name: string): Directory {
  const redirected = parent.redirected || isRedirected(place);
  return {
    path: within(parent.path, name),
    lowers: below(parent.lowers, name),
    hides: parent.hides || redirected || isOpaque(place),
    redirected,
  };
}

function byteString(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function within(directory: string, name: string): string {
  return directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
}

/** Names are written in pieces, so that a layer of millions of files needs no memory for them. */
class ListFile implements Disposable {
  readonly #fd: number;
  #text = "";
  count = 0;

  constructor(file: string) {
    this.#fd = openSync(file, "wx", 0o600);
  }

  add(path: string): void {
    this.count += 1;
    this.#text += `${path}\0`;
    const pieceBytes = 1 << 16;
    if (this.#text.length > pieceBytes) this.#flush();
  }

  [Symbol.dispose](): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #flush(): void {
    const bytes = Buffer.from(this.#text, "latin1");
    this.#text = "";
    for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
  }
}
