import { DomainError } from "#errors/domain-error.ts";

/** Records of a PAX extended header in their order: GNU's sparse format 0.0 repeats keys. Values are byte strings. */
export type PaxRecords = [key: string, value: string][];

/**
 * Parses "length key=value\n" records (POSIX pax, "pax Extended Header").
 * @throws DomainError data-loss
 */
export function parsePaxRecords(bytes: Buffer): PaxRecords {
  const records: PaxRecords = [];
  let offset = 0;
  while (offset < bytes.length) {
    const blank = bytes.indexOf(0x20, offset);
    const digits = blank === -1 ? "" : bytes.toString("latin1", offset, blank);
    const end = offset + (/^\d{1,10}$/.test(digits) ? Number(digits) : 0);
    if (end <= blank + 1 || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw malformed("a record's length is wrong");
    const equals = bytes.indexOf(0x3d, blank + 1);
    if (equals === -1 || equals >= end) throw malformed("a record has no =");
    records.push([bytes.toString("latin1", blank + 1, equals), bytes.toString("latin1", equals + 1, end - 1)]);
    offset = end;
  }
  return records;
}

/** A decimal number without sign or fraction. @throws DomainError data-loss */
export function paxInteger(key: string, value: string): number {
  const result = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(result)) throw malformed(`${key} is no number`);
  return result;
}

/** "seconds.fraction", possibly negative, to nanoseconds; digits past the ninth are cut. @throws DomainError data-loss */
export function paxTime(key: string, value: string): { seconds: bigint; nanoseconds: bigint } {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value);
  if (match === null) throw malformed(`${key} is no time`);
  const [, sign = "", whole = "0", fraction = ""] = match;
  const seconds = BigInt(whole);
  const nanoseconds = BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds, nanoseconds };
  if (nanoseconds === 0n) return { seconds: -seconds, nanoseconds };
  return { seconds: -seconds - 1n, nanoseconds: 1_000_000_000n - nanoseconds };
}

const schily = "SCHILY.xattr.";
const libarchive = "LIBARCHIVE.xattr.";

/** The extended attribute that a record carries, if it does. libarchive encodes the name as URLs do, the value in base64. */
export function paxXattr(key: string, value: string): [name: string, value: Buffer] | undefined {
  if (key.startsWith(schily)) return [key.slice(schily.length), Buffer.from(value, "latin1")];
  if (!key.startsWith(libarchive)) return undefined;
  const name = key
    .slice(libarchive.length)
    .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [name, Buffer.from(value, "base64")];
}

export function malformed(reason: string): DomainError {
  return new DomainError("data-loss", `malformed tar: in an extended header, ${reason}`);
}
