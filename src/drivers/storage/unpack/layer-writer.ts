import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import { makeNode, NodeType, type PathBytes, setTimes, setTimesOfFile, setXattr } from "#kernel/file-metadata.ts";
import { type Entry, textOf } from "../tar/entry.ts";
import type { EntrySink } from "../tar/reader.ts";
import { lstatOrNone } from "../tree/overlay-entry.ts";
import { entryFailure } from "./entry-failure.ts";
import { entryPath, markOf, systemPath } from "./entry-path.ts";
import { diskBlockBytes, LayerTree } from "./layer-tree.ts";

/** What the written layer amounts to. */
export interface WrittenLayer {
  /** Bytes on disk: files in whole blocks, directories one block each. */
  unpackedSizeBytes: number;
  inodes: number;
  /** The layer sets the mode and owner of the root directory. */
  hasRootEntry: boolean;
  /** Attributes that the file system would not take. */
  skippedXattrs: string[];
  /** Directories (byte strings) that were needed and had no entry of their own. */
  impliedDirectories: string[];
}

interface DirectoryMetadata {
  madeMode: number;
  mode: number;
  uid: number;
  gid: number;
  seconds: bigint;
  nanoseconds: bigint;
  xattrs: Map<string, Buffer> | undefined;
}

const setGroupId = 0o2000;
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes entries to the root of the calling thread, which must be the layer's directory (see `ThreadRoot`) with a umask of 0.
 * An entry takes the place of an earlier one of its name. Whiteouts become what overlayfs understands.
 */
export class LayerWriter implements EntrySink {
  readonly #maxEntries: number;
  /** Modes with setgid, default ACLs and times of directories are set last: files made in them would inherit or change them. */
  readonly #directories = new Map<string, DirectoryMetadata>();
  readonly #skippedXattrs = new Set<string>();
  readonly #tree = new LayerTree();
  #file: { fd: number; path: PathBytes; entry: Entry; writtenBytes: number } | undefined;
  /** The name of the entry under way, for messages. */
  #path = "";
  #entries = 0;
  #inodes = 0;
  #sizeBytes = 0;
  #hasRootEntry = false;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** @throws DomainError invalid-argument, resource-exhausted */
  begin(entry: Entry): void {
    this.#entries += 1;
    if (this.#entries > this.#maxEntries) {
      throw new DomainError(
        "resource-exhausted",
        `the layer has more than the ${this.#maxEntries} entries that are allowed`,
      );
    }
    this.#path = entryPath(entry.path);
    this.#guarded(() => this.#place(entry, this.#path));
  }

  data(bytes: Buffer, fileOffset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(
          file.fd,
          bytes,
          done,
          bytes.length - done,
          file.entry.sparse === undefined ? null : fileOffset + done,
        );
      }
    } catch (error) {
      throw entryFailure(this.#path, error);
    }
    file.writtenBytes += bytes.length;
  }

  end(): void {
    if (this.#file !== undefined) this.#guarded(() => this.#finishFile());
  }

  /** Sets what has to be set last. @throws DomainError */
  finish(): WrittenLayer {
    for (const [path, metadata] of this.#directories) {
      this.#path = path;
      this.#guarded(() => this.#finishDirectory(systemPath(path === "" ? "." : path), metadata));
    }
    return {
      unpackedSizeBytes: this.#sizeBytes - this.#tree.removedBytes + this.#tree.directories * diskBlockBytes,
      inodes: this.#inodes + this.#tree.inodes,
      hasRootEntry: this.#hasRootEntry,
      skippedXattrs: [...this.#skippedXattrs].sort(),
      impliedDirectories: [...this.#tree.implied],
    };
  }

  /** Closes the file under way; what is written stays and is the caller's to remove. */
  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw entryFailure(this.#path, error);
    }
  }

  #place(entry: Entry, path: string): void {
    const mark = markOf(path);
    switch (mark.kind) {
      case "whiteout":
        return this.#tree.whiteout(mark.path);
      case "opaque":
        return this.#tree.makeOpaque(mark.path);
      case "ignored":
        return;
      case "none":
    }
    if (path === "" && entry.kind !== "directory") {
      throw new DomainError("invalid-argument", `the root of a layer must be a directory, not a ${entry.kind}`);
    }
    if (entry.kind !== "directory") this.#directories.delete(path);
    switch (entry.kind) {
      case "file":
        return this.#openFile(entry, path);
      case "directory":
        return this.#directory(entry, path);
      case "symlink":
        this.#tree.make(path, (target) => symlinkSync(systemPath(entry.linkPath), target));
        return this.#setMetadata(entry, systemPath(path));
      case "hardlink":
        return this.#hardLink(entry, path);
      case "character":
      case "block":
      case "fifo":
        this.#tree.make(path, (target) =>
          makeNode(target, NodeType[entry.kind as "fifo"] | (entry.mode & 0o777), entry.major, entry.minor),
        );
        return this.#setMetadata(entry, systemPath(path));
    }
  }

  #openFile(entry: Entry, path: string): void {
    const target = systemPath(path);
    const fd = this.#tree.make(path, () => openSync(target, createFlags, entry.mode & 0o777));
    this.#file = { fd, path: target, entry, writtenBytes: 0 };
    this.#inodes += 1;
  }

  #finishFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    const { fd, entry } = file;
    this.#file = undefined;
    try {
      if (entry.sparse !== undefined) ftruncateSync(fd, entry.sizeBytes);
      if (entry.uid !== 0 || entry.gid !== 0) fchownSync(fd, entry.uid, entry.gid);
      // After the owner: a change of owner clears setuid and setgid.
      if (entry.mode > 0o777) fchmodSync(fd, entry.mode);
      if (entry.xattrs !== undefined) this.#setXattrs(file.path, entry.xattrs);
      setTimesOfFile(fd, entry.mtimeSeconds, entry.mtimeNanoseconds);
    } finally {
      closeSync(fd);
    }
    this.#sizeBytes += Math.ceil(file.writtenBytes / diskBlockBytes) * diskBlockBytes;
  }

  #setMetadata(entry: Entry, path: PathBytes): void {
    this.#inodes += 1;
    if (entry.uid !== 0 || entry.gid !== 0) lchownSync(path, entry.uid, entry.gid);
    if (entry.kind !== "symlink" && entry.mode > 0o777) chmodSync(path, entry.mode);
    if (entry.xattrs !== undefined) this.#setXattrs(path, entry.xattrs);
    setTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }

  #hardLink(entry: Entry, path: string): void {
    const existing = entryPath(entry.linkPath);
    if (existing === path) return;
    if (lstatOrNone(systemPath(existing)) === undefined) {
      const message = `${textOf(path)}: its hard link target ${textOf(entry.linkPath)} is not in the layer`;
      throw new DomainError("invalid-argument", message);
    }
    this.#tree.make(path, (target) => linkSync(systemPath(existing), target));
  }

  #directory(entry: Entry, path: string): void {
    const mode = entry.mode & ~setGroupId;
    const made = path === "" ? false : this.#tree.makeDirectory(path, mode);
    if (path === "") this.#hasRootEntry = true;
    this.#tree.implied.delete(path);
    this.#directories.set(path, {
      madeMode: made ? mode & 0o1777 : -1,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      seconds: entry.mtimeSeconds,
      nanoseconds: entry.mtimeNanoseconds,
      xattrs: entry.xattrs,
    });
  }

  #finishDirectory(path: PathBytes, metadata: DirectoryMetadata): void {
    const isNew = metadata.madeMode !== -1;
    try {
      if (!isNew || metadata.uid !== 0 || metadata.gid !== 0) lchownSync(path, metadata.uid, metadata.gid);
      if (metadata.mode !== metadata.madeMode) chmodSync(path, metadata.mode);
      if (metadata.xattrs !== undefined) this.#setXattrs(path, metadata.xattrs);
      setTimes(path, metadata.seconds, metadata.nanoseconds);
    } catch (error) {
      // A later entry has taken the place of the directory or of one above it.
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
  }

  #setXattrs(path: PathBytes, xattrs: ReadonlyMap<string, Buffer>): void {
    for (const [name, value] of xattrs) {
      // overlayfs would take its own attributes for orders, and the builder's SELinux labels mean nothing on this host.
      if (name.startsWith("trusted.overlay.") || name === "security.selinux") continue;
      try {
        setXattr(path, systemPath(name), value);
      } catch (error) {
        // EPERM: user attributes exist on files and directories only.
        if (!hasErrno(error, "ENOTSUP", "EOPNOTSUPP", "EPERM")) throw error;
        this.#skippedXattrs.add(textOf(name));
      }
    }
  }
}
