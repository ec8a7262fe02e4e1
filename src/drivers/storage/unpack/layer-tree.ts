import { lstatSync, mkdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import { makeNode, NodeType, type PathBytes, setXattr } from "#kernel/file-metadata.ts";
import { textOf } from "../tar/entry.ts";
import { isWhiteout, lstatOrNone } from "../tree/overlay-entry.ts";
import { treeContent } from "../tree/tree-content.ts";
import { entryPath, parentOf, systemPath } from "./entry-path.ts";

const opaque = { name: "trusted.overlay.opaque", value: Buffer.from("y") };
/** In which layers are measured, whatever the file system has. */
export const diskBlockBytes = 4096;
const makeAttempts = 4;
/** As many as the kernel follows. */
const maxLinks = 40;
const noParent = Object.assign(new Error("a directory above it is missing"), { code: "ENOENT" });

/**
 * The names of a layer, below the root of the calling thread (see `ThreadRoot`): makes room, parents and whiteouts. Paths are as
 * `entryPath` gives them.
 */
export class LayerTree {
  /** Directories that were needed and had no entry of their own. */
  readonly implied = new Set<string>();
  /** Made so far by this class, directories and whiteouts, less all that had to make room. */
  inodes = 0;
  directories = 0;
  /** Of regular files, in whole blocks of `diskBlockBytes`, that had to make room. */
  removedBytes = 0;

  /** Makes a directory where none is; says whether it is new. One that replaces a whiteout shows nothing of lower layers. */
  makeDirectory(path: string, mode: number): boolean {
    const target = systemPath(path);
    let replaced: "whiteout" | "other" | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        mkdirSync(target, mode);
        break;
      } catch (error) {
        if (attempt === makeAttempts) throw error;
        if (!hasErrno(error, "EEXIST")) this.#makeParents(path, error);
        else if (lstatSync(target).isDirectory()) return false;
        else replaced = this.#remove(path);
      }
    }
    this.inodes += 1;
    this.directories += 1;
    if (replaced === "whiteout") setXattr(target, opaque.name, opaque.value);
    return true;
  }

  /** Runs `make`, which must not overwrite, after making room and parents for `path`. */
  make<T>(path: string, make: (target: PathBytes) => T): T {
    const target = systemPath(path);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return make(target);
      } catch (error) {
        if (attempt === makeAttempts) throw error;
        if (hasErrno(error, "EEXIST")) this.#remove(path);
        else this.#makeParents(path, error);
      }
    }
  }

  /** Makes the directories above `path` that no entry has made, with mode 0755; rethrows `error` when that cannot be its cause. */
  #makeParents(path: string, error: unknown, links = 0): void {
    const parent = parentOf(path);
    if (parent === "" || !hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    let end = 0;
    do {
      end = parent.indexOf("/", end + 1);
      this.#makeParent(end === -1 ? parent : parent.slice(0, end), links);
    } while (end !== -1);
  }

  #makeParent(path: string, links = 0): void {
    const target = systemPath(path);
    // A symlink that leads to a directory is followed: the root of this thread is the layer.
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) return;
    const existing = lstatOrNone(target);
    if (existing?.isSymbolicLink() === true && links < maxLinks) {
      // It leads to a directory that only lower layers have; what is put below belongs there.
      const link = readlinkSync(target, { encoding: "buffer" }).toString("latin1");
      const resolved = entryPath(link.startsWith("/") ? link : `${parentOf(path)}/${link}`);
      if (resolved !== "") this.#makeParents(`${resolved}/entry`, noParent, links + 1);
      return;
    }
    if (existing !== undefined && !isWhiteout(existing)) {
      throw new DomainError("invalid-argument", `${textOf(path)}: an entry lies below it, but it is no directory`);
    }
    this.makeDirectory(path, 0o755);
    // In the place of a whiteout it is a new directory; else the layers below may know it.
    if (existing === undefined) this.implied.add(path);
  }

  #remove(path: string): "whiteout" | "other" {
    const target = systemPath(path);
    const existing = lstatSync(target);
    const content = treeContent(target, diskBlockBytes, (directory) => {
      this.implied.delete(directory.toString("latin1"));
    });
    rmSync(target, { recursive: existing.isDirectory(), force: true });
    this.inodes -= content.inodes;
    this.directories -= content.directories;
    this.removedBytes += content.fileBytes;
    return isWhiteout(existing) ? "whiteout" : "other";
  }

  /** Hides `path` of lower layers. What this very layer has there stays, and hides it already or is made to. */
  whiteout(path: string): void {
    const existing = lstatOrNone(systemPath(path));
    if (existing === undefined) {
      this.make(path, (target) => makeNode(target, NodeType.character));
      this.inodes += 1;
    } else if (existing.isDirectory()) setXattr(systemPath(path), opaque.name, opaque.value);
  }

  makeOpaque(path: string): void {
    if (path !== "") this.#makeParents(`${path}/entry`, noParent);
    setXattr(systemPath(path === "" ? "." : path), opaque.name, opaque.value);
  }
}
