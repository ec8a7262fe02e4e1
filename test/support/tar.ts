// A tar writer for tests: exactly the entries given, in the order given, so that a test can write what no well-behaved
// tool would. `raw` entries put any bytes in between.

export type TarKind =
  | "file"
  | "hardlink"
  | "symlink"
  | "character"
  | "block"
  | "directory"
  | "fifo"
  | "pax"
  | "global"
  | (string & {});

export interface TarEntry {
  /** Up to 100 bytes go into the header, more into a PAX record (or a GNU long name, see `format`). */
  path: string;
  /** A name from `TarKind`, or the type flag itself, one character. A file when left out. */
  kind?: TarKind;
  content?: string | Uint8Array;
  /** Target of a symbolic or hard link. */
  target?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  /** Whole seconds go into the header, a fraction into a PAX record. */
  mtimeNs?: bigint;
  major?: number;
  minor?: number;
  xattrs?: Record<string, string | Uint8Array>;
  /** Further PAX records, written before the entry. */
  pax?: Record<string, string | Uint8Array>;
  format?: "pax" | "gnu";
  /** Changes the finished header block; the checksum is computed after it. */
  patch?: (header: Buffer) => void;
  /** Overrides the size in the header, to lie about it. */
  declaredSizeBytes?: number;
}

export type TarPart = TarEntry | { raw: Uint8Array };

const typeFlags: Record<string, string> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
  pax: "x",
  global: "g",
};
const blockBytes = 512;
const nsPerSecond = 1_000_000_000n;
const defaultMtimeNs = 1_700_000_000n * nsPerSecond;

/** The archive with its two closing zero blocks. */
export function tarOf(parts: readonly TarPart[]): Buffer {
  return Buffer.concat([...parts.flatMap(partBlocks), Buffer.alloc(2 * blockBytes)]);
}

/** Bytes filled with zeros to whole blocks of 512. */
export function tarBlocks(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const rest = bytes.length % blockBytes;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(blockBytes - rest)]);
}

/** The content of a PAX extended header; each record's length counts itself. */
export function paxRecords(records: Record<string, string | Uint8Array>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

function partBlocks(part: TarPart): Buffer[] {
  if ("raw" in part) return [Buffer.from(part.raw)];
  const content = Buffer.from(part.content ?? "");
  return [
    ...longNames(part),
    ...paxHeader(part),
    header(part, part.declaredSizeBytes ?? content.length),
    tarBlocks(content),
  ];
}

function longNames(entry: TarEntry): Buffer[] {
  if (entry.format !== "gnu") return [];
  const long = (flag: string, value: string | undefined): Buffer[] => {
    if (value === undefined || Buffer.byteLength(value) <= 100) return [];
    const content = Buffer.from(`${value}\0`);
    return [header({ path: "././@LongLink", kind: flag, format: "gnu" }, content.length), tarBlocks(content)];
  };
  return [...long("K", entry.target), ...long("L", entry.path)];
}

function paxHeader(entry: TarEntry): Buffer[] {
  const records: Record<string, string | Uint8Array> = {};
  if (entry.format !== "gnu") {
    if (Buffer.byteLength(entry.path) > 100) records["path"] = entry.path;
    if (entry.target !== undefined && Buffer.byteLength(entry.target) > 100) records["linkpath"] = entry.target;
  }
  const fraction = (entry.mtimeNs ?? 0n) % nsPerSecond;
  if (fraction !== 0n) {
    records["mtime"] = `${(entry.mtimeNs ?? 0n) / nsPerSecond}.${fraction.toString().padStart(9, "0")}`;
  }
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) records[`SCHILY.xattr.${name}`] = value;
  Object.assign(records, entry.pax);
  if (Object.keys(records).length === 0) return [];
  const content = paxRecords(records);
  return [header({ path: "PaxHeaders/entry", kind: "pax" }, content.length), tarBlocks(content)];
}

function header(entry: TarEntry, sizeBytes: number): Buffer {
  const kind = entry.kind ?? "file";
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number | bigint, offset: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, "0"), offset, width - 1, "latin1");
  };
  block.write(entry.path, 0, 100);
  octal(entry.mode ?? (kind === "directory" ? 0o755 : kind === "symlink" ? 0o777 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal((entry.mtimeNs ?? defaultMtimeNs) / nsPerSecond, 136, 12);
  block.write(typeFlags[kind] ?? kind, 156, 1);
  block.write(entry.target ?? "", 157, 100);
  block.write(entry.format === "gnu" ? "ustar  \0" : "ustar\u000000", 257, 8, "latin1");
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  entry.patch?.(block);
  block.fill(" ", 148, 156, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
