/** What a tar entry is, as the layer format knows it. */
export type EntryKind = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

/** A piece of a sparse file that holds data. */
export interface SparseSegment {
  offset: number;
  length: number;
}

/**
 * One entry with its extended headers merged in. Names are byte strings: every character stands for one byte, since file
 * names on Linux are bytes and need not be UTF-8; `textOf` makes them readable.
 */
export interface Entry {
  kind: EntryKind;
  path: string;
  linkPath: string;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of data that follow; 0 for all but files. */
  dataBytes: number;
  /** Length of the file; more than `dataBytes` when sparse. */
  sizeBytes: number;
  mtimeSeconds: bigint;
  mtimeNanoseconds: bigint;
  major: number;
  minor: number;
  /** Attribute names are byte strings. */
  xattrs: Map<string, Buffer> | undefined;
  sparse: SparseSegment[] | undefined;
}

/** A byte string as text for messages. */
export function textOf(byteString: string): string {
  return Buffer.from(byteString, "latin1").toString();
}
