// Writes the tar stream of a layer for tests: exactly the entries given, in the order given, so that a test can also
// write what no well-behaved tool would.

export interface TarEntry {
  path: string;
  type?: "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";
  content?: string | Uint8Array;
  /** Target of a symlink or hard link. */
  target?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtimeSeconds?: number;
  major?: number;
  minor?: number;
  /** Overrides the size in the header, to lie about it. */
  declaredSizeBytes?: number;
}

const typeFlags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const;
const defaultModes = { directory: 0o755, symlink: 0o777 } as const;
const blockBytes = 512;

/** A POSIX ustar archive; paths over 100 bytes get a PAX header. Ends with two zero blocks. */
export function layerTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(2 * blockBytes)]);
}

function entryBlocks(entry: TarEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? "");
  const long = [
    ...(Buffer.byteLength(entry.path) > 100 ? [paxRecord("path", entry.path)] : []),
    ...(Buffer.byteLength(entry.target ?? "") > 100 ? [paxRecord("linkpath", entry.target ?? "")] : []),
  ].join("");
  const pax =
    long === "" ? [] : [header({ path: "pax", type: "file" }, Buffer.byteLength(long), "x"), padded(Buffer.from(long))];
  return [...pax, header(entry, entry.declaredSizeBytes ?? content.length), padded(content)];
}

function header(entry: TarEntry, sizeBytes: number, flag?: string): Buffer {
  const type = entry.type ?? "file";
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, "0"), offset, width - 1, "latin1");
  };
  block.write(entry.path, 0, 100);
  octal(entry.mode ?? (type === "directory" || type === "symlink" ? defaultModes[type] : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(entry.mtimeSeconds ?? 1_700_000_000, 136, 12);
  block.fill(" ", 148, 156, "latin1");
  block.write(flag ?? typeFlags[type], 156, 1);
  block.write(entry.target ?? "", 157, 100);
  block.write("ustar\u000000", 257, 8, "latin1");
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** One PAX record: its own length in bytes comes first, and counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes + 1;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return `${length}${rest}`;
}

function padded(content: Buffer): Buffer {
  const rest = content.length % blockBytes;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(blockBytes - rest)]);
}
