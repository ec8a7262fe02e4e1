/** A value that carries its own type. */
export interface DbusVariant {
  signature: string;
  value: DbusValue;
}

/** A D-Bus value: 64-bit integers are bigints, structs and dictionary entries are arrays of their members. */
export type DbusValue = number | bigint | string | boolean | readonly DbusValue[] | DbusVariant;

/** The string that a value is; empty for any other value, and for none. */
export function textOf(value: DbusValue | undefined): string {
  return typeof value === "string" ? value : "";
}

const alignments: Readonly<Record<string, number>> = {
  y: 1,
  b: 4,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  x: 8,
  t: 8,
  d: 8,
  s: 4,
  o: 4,
  g: 1,
  v: 1,
  a: 4,
  "(": 8,
  "{": 8,
};

/**
 * The complete types that a signature is made of: `sa(sv)u` → `s`, `a(sv)`, `u`.
 * @throws RangeError for what is no signature, or has a type that is not supported (`h`, file descriptors)
 */
export function completeTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, start: number): number {
  const code = signature[start];
  if (code === "a") return endOfType(signature, start + 1);
  if (code === undefined || alignments[code] === undefined)
    throw new RangeError(`${JSON.stringify(signature)} is no supported D-Bus signature`);
  if (code !== "(" && code !== "{") return start + 1;
  let at = start + 1;
  while (signature[at] !== (code === "(" ? ")" : "}")) at = endOfType(signature, at);
  return at + 1;
}

function alignmentOf(type: string): number {
  return alignments[type[0] ?? ""] ?? 1;
}

/** Writes values little-endian, each at its alignment (D-Bus specification, "Marshaling"). */
export class DbusWriter {
  #buffer = Buffer.alloc(256);
  #length = 0;

  align(alignment: number): void {
    this.#reserve((alignment - (this.#length % alignment)) % alignment);
  }

  /** One value for each complete type of the signature. */
  values(signature: string, values: readonly DbusValue[]): void {
    const types = completeTypes(signature);
    if (types.length !== values.length)
      throw new RangeError(`${values.length} values for the D-Bus signature ${signature}`);
    for (const [index, type] of types.entries()) this.value(type, values[index] ?? "");
  }

  value(type: string, value: DbusValue): void {
    this.align(alignmentOf(type));
    switch (type.charAt(0)) {
      case "y":
        this.#reserve(1).writeUInt8(Number(value));
        return;
      case "n":
        this.#reserve(2).writeInt16LE(Number(value));
        return;
      case "q":
        this.#reserve(2).writeUInt16LE(Number(value));
        return;
      case "i":
        this.#reserve(4).writeInt32LE(Number(value));
        return;
      case "b":
      case "u":
        this.#reserve(4).writeUInt32LE(Number(value));
        return;
      case "x":
        this.#reserve(8).writeBigInt64LE(BigInt(integer(value)));
        return;
      case "t":
        this.#reserve(8).writeBigUInt64LE(BigInt(integer(value)));
        return;
      case "d":
        this.#reserve(8).writeDoubleLE(Number(value));
        return;
      default:
        this.#compound(type, value);
    }
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #compound(type: string, value: DbusValue): void {
    if (type === "s" || type === "o") this.#text(text(value), 4);
    else if (type === "g") this.#text(text(value), 1);
    else if (type.startsWith("a")) this.#array(type.slice(1), list(value));
    else if (type === "v") {
      const variant = variantOf(value);
      this.#text(variant.signature, 1);
      this.value(variant.signature, variant.value);
    } else this.values(type.slice(1, -1), list(value));
  }

  #text(value: string, lengthBytes: 1 | 4): void {
    const bytes = Buffer.from(`${value}\0`);
    this.#reserve(lengthBytes).writeUIntLE(bytes.length - 1, 0, lengthBytes);
    bytes.copy(this.#reserve(bytes.length));
  }

  #array(type: string, values: readonly DbusValue[]): void {
    this.#reserve(4);
    const lengthAt = this.#length - 4;
    // The length leaves out the padding before the first element.
    this.align(alignmentOf(type));
    const start = this.#length;
    for (const value of values) this.value(type, value);
    this.#buffer.writeUInt32LE(this.#length - start, lengthAt);
  }

  #reserve(size: number): Buffer {
    const start = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length)
      this.#buffer = Buffer.concat([this.#buffer], Math.max(this.#length, this.#buffer.length * 2));
    return this.#buffer.subarray(start, this.#length);
  }
}

/** Reads what `DbusWriter` writes. Alignments count from the start of the buffer. */
export class DbusReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.#at = at;
  }

  values(signature: string): DbusValue[] {
    return completeTypes(signature).map((type) => this.value(type));
  }

  value(type: string): DbusValue {
    this.align(alignmentOf(type));
    switch (type.charAt(0)) {
      case "y":
        return this.#take(1).readUInt8();
      case "n":
        return this.#take(2).readInt16LE();
      case "q":
        return this.#take(2).readUInt16LE();
      case "i":
        return this.#take(4).readInt32LE();
      case "u":
        return this.#take(4).readUInt32LE();
      case "b":
        return this.#take(4).readUInt32LE() !== 0;
      case "x":
        return this.#take(8).readBigInt64LE();
      case "t":
        return this.#take(8).readBigUInt64LE();
      case "d":
        return this.#take(8).readDoubleLE();
      case "s":
      case "o":
        return this.#text(this.#take(4).readUInt32LE());
      case "g":
        return this.#text(this.#take(1).readUInt8());
      default:
        return this.#compound(type);
    }
  }

  align(alignment: number): void {
    this.#at += (alignment - (this.#at % alignment)) % alignment;
  }

  #compound(type: string): DbusValue {
    if (type.startsWith("a")) return this.#array(type.slice(1));
    if (type !== "v") return this.values(type.slice(1, -1));
    const signature = this.#text(this.#take(1).readUInt8());
    return { signature, value: this.value(signature) };
  }

  #array(type: string): DbusValue[] {
    const length = this.#take(4).readUInt32LE();
    this.align(alignmentOf(type));
    const end = this.#at + length;
    const values: DbusValue[] = [];
    while (this.#at < end) values.push(this.value(type));
    return values;
  }

  #text(length: number): string {
    return this.#take(length + 1).toString("utf8", 0, length);
  }

  #take(size: number): Buffer {
    const start = this.#at;
    this.#at += size;
    if (this.#at > this.#buffer.length) throw new RangeError("a D-Bus message ends too early");
    return this.#buffer.subarray(start, this.#at);
  }
}

function text(value: DbusValue): string {
  if (typeof value === "string") return value;
  throw new TypeError("a D-Bus string has to be a string");
}

function integer(value: DbusValue): number | bigint {
  if (typeof value === "number" || typeof value === "bigint") return value;
  throw new TypeError("a D-Bus integer has to be a number or a bigint");
}

function list(value: DbusValue): readonly DbusValue[] {
  if (Array.isArray(value)) return value as readonly DbusValue[];
  throw new TypeError("a D-Bus array or struct has to be an array");
}

function variantOf(value: DbusValue): DbusVariant {
  if (typeof value === "object" && "signature" in value) return value;
  throw new TypeError("a D-Bus variant has to name its signature");
}
