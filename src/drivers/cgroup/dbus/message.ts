import { DbusReader, DbusWriter, textOf } from "./values.ts";
import type { DbusValue, DbusVariant } from "./values.ts";

/** Kinds of messages by their number on the wire. */
export const messageType = { call: 1, answer: 2, error: 3, signal: 4 } as const;

export interface DbusMessage {
  type: number;
  serial: number;
  /** Serial of the call that this answers; 0 otherwise. */
  replySerial: number;
  path: string;
  interface: string;
  member: string;
  destination: string;
  /** Name of an error such as `org.freedesktop.systemd1.NoSuchUnit`. */
  errorName: string;
  signature: string;
  body: readonly DbusValue[];
}

const littleEndian = "l".charCodeAt(0);
const protocolVersion = 1;
/** Type, flags, lengths and serial: what tells how long a message is. */
const fixedHeaderBytes = 16;
/** The specification allows 128 MiB; nothing that systemd says comes near this. */
const longestMessageBytes = 16 << 20;

/** Header fields by their code on the wire. */
const fields = [
  { code: 1, name: "path", signature: "o" },
  { code: 2, name: "interface", signature: "s" },
  { code: 3, name: "member", signature: "s" },
  { code: 4, name: "errorName", signature: "s" },
  { code: 5, name: "replySerial", signature: "u" },
  { code: 6, name: "destination", signature: "s" },
  { code: 8, name: "signature", signature: "g" },
] as const;

export function encodeMessage(message: DbusMessage): Buffer {
  const body = new DbusWriter();
  body.values(message.signature, message.body);
  const present = fields.filter(({ name }) => message[name] !== "" && message[name] !== 0);
  const header = new DbusWriter();
  header.values("yyyyuua(yv)", [
    littleEndian,
    message.type,
    0,
    protocolVersion,
    body.bytes().length,
    message.serial,
    present.map(({ code, name, signature }) => [code, { signature, value: message[name] }]),
  ]);
  header.align(8);
  return Buffer.concat([header.bytes(), body.bytes()]);
}

/**
 * Takes the first whole message off the front of `buffer`; undefined while more bytes have to come.
 * @throws RangeError for what is no message, or one of a big-endian machine
 */
export function decodeMessage(buffer: Buffer): { message: DbusMessage; rest: Buffer } | undefined {
  if (buffer.length < fixedHeaderBytes) return undefined;
  if (buffer[0] !== littleEndian) throw new RangeError("a D-Bus message is not little-endian");
  const bodyBytes = buffer.readUInt32LE(4);
  const headerBytes = Math.ceil((fixedHeaderBytes + buffer.readUInt32LE(12)) / 8) * 8;
  const length = headerBytes + bodyBytes;
  if (length > longestMessageBytes) throw new RangeError(`a D-Bus message of ${length} bytes is too long`);
  if (buffer.length < length) return undefined;
  const header = fieldsOf(new DbusReader(buffer, 12).value("a(yv)"));
  const message: DbusMessage = {
    type: buffer[1] ?? 0,
    serial: buffer.readUInt32LE(8),
    replySerial: Number(header.get("replySerial") ?? 0),
    path: textOf(header.get("path")),
    interface: textOf(header.get("interface")),
    member: textOf(header.get("member")),
    destination: textOf(header.get("destination")),
    errorName: textOf(header.get("errorName")),
    signature: textOf(header.get("signature")),
    body: [],
  };
  const body = new DbusReader(buffer.subarray(headerBytes, length)).values(message.signature);
  return { message: { ...message, body }, rest: buffer.subarray(length) };
}

function fieldsOf(value: DbusValue): Map<string, DbusValue> {
  const known = new Map<string, DbusValue>();
  for (const [code, variant] of value as [number, DbusVariant][]) {
    const field = fields.find((one) => one.code === code);
    if (field !== undefined) known.set(field.name, variant.value);
  }
  return known;
}
