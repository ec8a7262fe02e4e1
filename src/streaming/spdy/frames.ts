/** SPDY/3.1 frames as they are on the wire. Numbers are those of the SPDY/3 draft, sections 2.2 and 2.6. */

export const spdyVersion = 3;

export const ControlType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flagFin = 0x01;
export const flagUnidirectional = 0x02;

export const ResetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
} as const;

export const GoAwayStatus = { ok: 0, protocolError: 1, internalError: 2 } as const;

export const maxStreamId = 0x7fffffff;
export const maxDataLength = 0xffffff;

/** The peer broke the protocol in a way that ends the connection. */
export class SpdyProtocolError extends Error {
  override readonly name = "SpdyProtocolError";
}

export function dataFrameHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = Buffer.allocUnsafe(8);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(((fin ? flagFin : 0) << 24) | length, 4);
  return header;
}

export function controlFrame(type: number, flags: number, ...payload: Buffer[]): Buffer {
  const length = payload.reduce((total, part) => total + part.length, 0);
  const header = Buffer.allocUnsafe(8);
  header.writeUInt16BE(0x8000 | spdyVersion, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  return Buffer.concat([header, ...payload], 8 + length);
}

export function words(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
  return bytes;
}
