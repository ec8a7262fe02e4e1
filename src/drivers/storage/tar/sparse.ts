import { DomainError } from "#errors/domain-error.ts";
import type { SparseSegment } from "./entry.ts";
import { blockBytes, number } from "./header.ts";
import { paxInteger, type PaxRecords } from "./pax.ts";

// GNU's sparse files: the old format lists segments in the header and blocks after it; PAX 0.0 and 0.1 list them in records;
// PAX 1.0 puts the list in front of the data.

export interface SparseMap {
  segments: SparseSegment[];
  realSizeBytes: number;
}

/** The map of an old-format header ('S'); `extended` says that a block with more segments follows. */
export function oldSparseHeader(bytes: Buffer, offset: number): SparseMap & { extended: boolean } {
  return {
    segments: segmentsIn(bytes, offset + 386, 4),
    realSizeBytes: number(bytes, offset + 483, 12, "real size"),
    extended: bytes[offset + 482] !== 0,
  };
}

/** One of the blocks that follow an old-format header. */
export function oldSparseBlock(bytes: Buffer, offset: number): { segments: SparseSegment[]; extended: boolean } {
  return { segments: segmentsIn(bytes, offset, 21), extended: bytes[offset + 504] !== 0 };
}

function segmentsIn(bytes: Buffer, offset: number, count: number): SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = offset + 24 * i;
    if (bytes[at] === 0) break;
    segments.push({
      offset: number(bytes, at, 12, "sparse offset"),
      length: number(bytes, at + 12, 12, "sparse length"),
    });
  }
  return segments;
}

/** What the PAX records say about a sparse file: a whole map (0.0, 0.1), or that the map leads the data (1.0). */
export function paxSparse(records: PaxRecords): SparseMap | { mapInData: true; realSizeBytes: number } | undefined {
  const values = new Map(records);
  const size = values.get("GNU.sparse.realsize") ?? values.get("GNU.sparse.size");
  const major = values.get("GNU.sparse.major");
  const map = values.get("GNU.sparse.map");
  const hasPairs = values.has("GNU.sparse.offset");
  if (major === undefined && map === undefined && !hasPairs) return undefined;
  if (size === undefined) throw invalidMap("has no real size");
  const realSizeBytes = paxInteger("GNU.sparse.size", size);
  if (major === "1") return { mapInData: true, realSizeBytes };
  const numbers =
    map === undefined
      ? records
          .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
          .map(([, value]) => value)
      : map.split(",").filter((value) => value !== "");
  return { segments: pairs(numbers.map((value) => paxInteger("GNU.sparse.map", value))), realSizeBytes };
}

const newline = 0x0a;

/** The map that leads the data of a PAX 1.0 file: decimal lines, a count and then pairs, filled to whole blocks. */
export class LeadingMap {
  readonly #blocks: Buffer[] = [];
  #lines = 0;
  #linesWanted: number | undefined;

  /** Takes the next 512 bytes; gives the segments once they are complete. @throws DomainError data-loss */
  add(block: Buffer): SparseSegment[] | undefined {
    this.#blocks.push(Buffer.from(block));
    for (const byte of block) if (byte === newline) this.#lines += 1;
    if (this.#linesWanted === undefined) {
      const end = block.indexOf(newline);
      if (end === -1) throw invalidMap("is malformed");
      this.#linesWanted = 1 + 2 * paxInteger("sparse map", block.toString("latin1", 0, end));
    }
    if (this.#lines < this.#linesWanted) return undefined;
    const lines = Buffer.concat(this.#blocks).toString("latin1").split("\n", this.#linesWanted);
    return pairs(lines.slice(1).map((line) => paxInteger("sparse map", line)));
  }

  get mapBytes(): number {
    return this.#blocks.length * blockBytes;
  }
}

function pairs(numbers: number[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw invalidMap("has an offset without a length");
  const segments: SparseSegment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    segments.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return segments;
}

/** Segments must ascend, lie within the file and hold exactly the data that follows. @throws DomainError data-loss */
export function checkSparse(map: SparseMap, dataBytes: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.segments) {
    if (offset < 0 || length < 0) throw invalidMap("has a negative offset or length");
    if (offset < end) throw invalidMap("overlaps or is out of order");
    end = offset + length;
    sum += length;
  }
  if (end > map.realSizeBytes) throw invalidMap("reaches past the end of the file");
  if (sum !== dataBytes) throw invalidMap(`holds ${sum} bytes, the entry ${dataBytes}`);
}

function invalidMap(reason: string): DomainError {
  return new DomainError("data-loss", `malformed tar: the map of a sparse file ${reason}`);
}
