import { DomainError } from "#errors/domain-error.ts";
import { type Entry, type EntryKind, type SparseSegment, textOf } from "./entry.ts";
import { blockBytes, type Header, parseHeader } from "./header.ts";
import { malformed, parsePaxRecords, paxInteger, type PaxRecords, paxTime, paxXattr } from "./pax.ts";
import { checkSparse, LeadingMap, oldSparseBlock, oldSparseHeader, paxSparse } from "./sparse.ts";

/** What the reader has to do after a header block or collected bytes. */
export type Step =
  | { kind: "entry"; entry: Entry }
  | { kind: "skip"; bytes: number }
  | { kind: "collect"; bytes: number; onceRead: (content: Buffer) => Step | undefined };

/** More than any real extended header; without a limit one header could fill the memory. */
const maxExtendedHeaderBytes = 1024 * 1024;
const maxSparseSegments = 100_000;

const kinds: Readonly<Record<string, EntryKind>> = {
  "\0": "file",
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};

/** Merges header blocks with the extended headers before them (PAX records, GNU long names) into entries. */
export class EntryAssembler {
  #pax: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  /** An extended header was read and its entry was not. */
  get expectsEntry(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  /** @throws DomainError data-loss, or invalid-argument for a type flag that layers do not have */
  header(bytes: Buffer, offset: number): Step | { kind: "zero-block" } {
    const header = parseHeader(bytes, offset);
    if (header === undefined) return { kind: "zero-block" };
    switch (header.type) {
      case "x":
        return extended(header, (content) => {
          this.#pax = parsePaxRecords(content);
        });
      case "g":
        // Defaults for all later entries. Layer writers use it for comments only, and no other runtime applies it.
        return { kind: "skip", bytes: blocks(header.size) };
      case "L":
        return extended(header, (content) => {
          this.#longName = untilNul(content);
        });
      case "K":
        return extended(header, (content) => {
          this.#longLink = untilNul(content);
        });
      default:
        return this.#entry(header, bytes, offset);
    }
  }

  #entry(header: Header, bytes: Buffer, offset: number): Step {
    const pax = this.#pax ?? [];
    const entry = plainEntry(header, this.#longName ?? header.name, this.#longLink ?? header.linkName);
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    const dataBytes = applyPax(entry, pax, header.size);
    if (entry.kind === "file") {
      entry.dataBytes = dataBytes;
      entry.sizeBytes = dataBytes;
    }
    checkNames(entry);
    if (header.type === "S") return oldSparse(entry, bytes, offset);
    const sparse = entry.kind === "file" ? paxSparse(pax) : undefined;
    if (sparse === undefined) return { kind: "entry", entry };
    if (!("mapInData" in sparse))
      return { kind: "entry", entry: withMap(entry, sparse.segments, sparse.realSizeBytes) };
    return mapInData(entry, sparse.realSizeBytes);
  }
}

function plainEntry(header: Header, path: string, linkPath: string): Entry {
  const kind = kinds[header.type];
  if (kind === undefined) {
    const message = `${textOf(path)}: tar entry type ${JSON.stringify(header.type)} does not belong into a layer`;
    throw new DomainError("invalid-argument", message);
  }
  return {
    // Before POSIX had a type for directories, a slash at the end made one.
    kind: header.type === "\0" && path.endsWith("/") ? "directory" : kind,
    path,
    linkPath,
    mode: header.mode & 0o7777,
    uid: header.uid,
    gid: header.gid,
    dataBytes: 0,
    sizeBytes: 0,
    mtimeSeconds: BigInt(header.mtime),
    mtimeNanoseconds: 0n,
    major: header.major,
    minor: header.minor,
    xattrs: undefined,
    sparse: undefined,
  };
}

/** Applies the records to the entry; gives the bytes of data. An empty value takes a record back. */
function applyPax(entry: Entry, pax: PaxRecords, headerSize: number): number {
  let dataBytes = headerSize;
  for (const [key, value] of pax) {
    if (value === "" && !key.includes("xattr.")) continue;
    if (key === "path") entry.path = value;
    else if (key === "linkpath") entry.linkPath = value;
    else if (key === "size") dataBytes = paxInteger(key, value);
    else if (key === "uid") entry.uid = paxInteger(key, value);
    else if (key === "gid") entry.gid = paxInteger(key, value);
    else if (key === "mtime") {
      const { seconds, nanoseconds } = paxTime(key, value);
      entry.mtimeSeconds = seconds;
      entry.mtimeNanoseconds = nanoseconds;
    } else {
      const xattr = paxXattr(key, value);
      if (xattr !== undefined) (entry.xattrs ??= new Map()).set(...xattr);
    }
  }
  // GNU tar gives sparse files a made-up path that old readers see, and the true one here.
  const sparseName = pax.findLast(([key]) => key === "GNU.sparse.name")?.[1];
  if (sparseName !== undefined) entry.path = sparseName;
  return dataBytes;
}

function checkNames(entry: Entry): void {
  if (entry.path.includes("\0") || entry.linkPath.includes("\0")) throw malformed("a name holds a NUL byte");
  const ids = [entry.uid, entry.gid];
  if (ids.some((id) => id < 0 || id >= 0xffff_ffff)) {
    throw new DomainError("data-loss", `malformed tar: ${textOf(entry.path)} has an owner out of range`);
  }
}

function withMap(entry: Entry, segments: SparseSegment[], realSizeBytes: number): Entry {
  checkSparse({ segments, realSizeBytes }, entry.dataBytes);
  return { ...entry, sparse: segments, sizeBytes: realSizeBytes };
}

/** Blocks with further segments come between the header and the data. */
function oldSparse(entry: Entry, bytes: Buffer, offset: number): Step {
  const { segments, realSizeBytes, extended } = oldSparseHeader(bytes, offset);
  const finish = (): Step => ({ kind: "entry", entry: withMap(entry, segments, realSizeBytes) });
  const more = (): Step => ({
    kind: "collect",
    bytes: blockBytes,
    onceRead: (block) => {
      const next = oldSparseBlock(block, 0);
      segments.push(...next.segments);
      if (segments.length > maxSparseSegments) throw malformed("a sparse file has too many segments");
      return next.extended ? more() : finish();
    },
  });
  return extended ? more() : finish();
}

function mapInData(entry: Entry, realSizeBytes: number): Step {
  const map = new LeadingMap();
  const more = (): Step => ({
    kind: "collect",
    bytes: blockBytes,
    onceRead: (block) => {
      const segments = map.add(block);
      if (map.mapBytes > Math.min(maxExtendedHeaderBytes, entry.dataBytes)) {
        throw malformed("the map of a sparse file is too long");
      }
      if (segments === undefined) return more();
      return {
        kind: "entry",
        entry: withMap({ ...entry, dataBytes: entry.dataBytes - map.mapBytes }, segments, realSizeBytes),
      };
    },
  });
  return more();
}

function extended(header: Header, take: (content: Buffer) => void): Step {
  if (header.size > maxExtendedHeaderBytes) throw malformed(`${header.size} bytes are too many`);
  return {
    kind: "collect",
    bytes: header.size,
    onceRead: (content) => {
      take(content);
      const rest = blocks(header.size) - header.size;
      return rest === 0 ? undefined : { kind: "skip", bytes: rest };
    },
  };
}

function blocks(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

function untilNul(content: Buffer): string {
  const end = content.indexOf(0);
  return content.toString("latin1", 0, end === -1 ? content.length : end);
}
