import { DomainError } from "#errors/domain-error.ts";

export const blockBytes = 512;

/** The fields of one 512-byte header block, before any extended header is merged in. Strings are byte strings. */
export interface Header {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  /** The type flag, one character; NUL is the regular file of old archives. */
  type: string;
  linkName: string;
  major: number;
  minor: number;
}

const space = 0x20;
const zero = 0x30;
const seven = 0x37;

/**
 * Reads the header at `offset`, which must be followed by 512 bytes; `undefined` for a block of zeros, which ends an archive.
 * @throws DomainError data-loss when the checksum or a number is wrong, or the size negative
 */
export function parseHeader(bytes: Buffer, offset: number): Header | undefined {
  const { unsigned, signed } = checksums(bytes, offset);
  // A block of zeros sums to its eight checksum bytes, counted as spaces.
  if (unsigned === 8 * space && isZeroBlock(bytes, offset)) return undefined;
  const stored = number(bytes, offset + 148, 8, "checksum");
  if (stored !== unsigned && stored !== signed) {
    throw new DomainError("data-loss", "malformed tar: the checksum of an entry's header does not match");
  }
  const posix = bytes.toString("latin1", offset + 257, offset + 263) === "ustar\0";
  const gnu = !posix && bytes.toString("latin1", offset + 257, offset + 265) === "ustar  \0";
  const name = string(bytes, offset, 100);
  const prefix = posix ? string(bytes, offset + 345, 155) : "";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(bytes, offset + 100, 8, "mode"),
    uid: number(bytes, offset + 108, 8, "uid"),
    gid: number(bytes, offset + 116, 8, "gid"),
    size: size(bytes, offset),
    mtime: number(bytes, offset + 136, 12, "mtime"),
    type: String.fromCharCode(bytes[offset + 156] ?? 0),
    linkName: string(bytes, offset + 157, 100),
    major: posix || gnu ? number(bytes, offset + 329, 8, "device major") : 0,
    minor: posix || gnu ? number(bytes, offset + 337, 8, "device minor") : 0,
  };
}

/** Base 256 has a sign, and whoever skips a negative number of bytes reads the same header again, for ever. */
function size(bytes: Buffer, offset: number): number {
  const value = number(bytes, offset + 124, 12, "size");
  if (value < 0) throw new DomainError("data-loss", "malformed tar: the size in an entry's header is negative");
  return value;
}

/** Old writers summed signed bytes; both are in use. The checksum field itself counts as spaces. */
function checksums(bytes: Buffer, offset: number): { unsigned: number; signed: number } {
  let unsigned = 0;
  let high = 0;
  for (let i = offset; i < offset + blockBytes; i += 1) {
    const byte = bytes[i] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let i = offset + 148; i < offset + 156; i += 1) {
    const byte = bytes[i] ?? 0;
    unsigned += space - byte;
    high -= byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}

function isZeroBlock(bytes: Buffer, offset: number): boolean {
  for (let i = offset; i < offset + blockBytes; i += 1) if (bytes[i] !== 0) return false;
  return true;
}

/** A NUL-terminated string, or one that fills its field. */
export function string(bytes: Buffer, offset: number, width: number): string {
  let end = offset;
  while (end < offset + width && bytes[end] !== 0) end += 1;
  return bytes.toString("latin1", offset, end);
}

/**
 * A number in octal digits, or in base 256 when the first bit is set (GNU and star, for what octal cannot hold). An empty
 * field is 0.
 * @throws DomainError data-loss
 */
export function number(bytes: Buffer, offset: number, width: number, field: string): number {
  if ((bytes[offset] ?? 0) >= 0x80) return base256(bytes, offset, width, field);
  let i = offset;
  const end = offset + width;
  while (i < end && (bytes[i] === space || bytes[i] === 0)) i += 1;
  let value = 0;
  for (; i < end; i += 1) {
    const digit = bytes[i] ?? 0;
    if (digit === space || digit === 0) break;
    if (digit < zero || digit > seven) throw malformedNumber(field);
    value = value * 8 + (digit - zero);
  }
  return value;
}

function base256(bytes: Buffer, offset: number, width: number, field: string): number {
  const first = bytes[offset] ?? 0;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(first & 0x3f);
  for (let i = offset + 1; i < offset + width; i += 1) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  if (negative) value -= 1n << BigInt(8 * width - 2);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw malformedNumber(field);
  return result;
}

function malformedNumber(field: string): DomainError {
  return new DomainError("data-loss", `malformed tar: the ${field} in an entry's header is no number`);
}
