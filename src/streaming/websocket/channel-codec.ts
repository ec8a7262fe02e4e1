/** A message of one channel. */
export interface ChannelMessage {
  readonly channel: number;
  readonly bytes: Buffer;
}

/** How a channel number and bytes become a WebSocket message. */
export interface ChannelCodec {
  readonly isBinary: boolean;
  encode(channel: number, bytes: Buffer): Buffer;
  /** Undefined when the message is not well-formed. */
  decode(message: Buffer): ChannelMessage | undefined;
}

/** `channel.k8s.io`: the channel number in one byte, then the bytes. */
export const binaryCodec: ChannelCodec = {
  isBinary: true,
  encode: (channel, bytes) => Buffer.concat([Buffer.of(channel), bytes], bytes.length + 1),
  decode(message) {
    const [channel] = message;
    return channel === undefined ? undefined : { channel, bytes: message.subarray(1) };
  },
};

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/;
const zero = 0x30;

/** `base64.channel.k8s.io`: the channel as a character counted from "0", then the bytes in base64. */
export const base64Codec: ChannelCodec = {
  isBinary: false,
  encode: (channel, bytes) => Buffer.from(String.fromCodePoint(zero + channel) + bytes.toString("base64"), "utf8"),
  decode(message) {
    const text = message.toString("utf8");
    const code = text.codePointAt(0);
    if (code === undefined || code < zero) return undefined;
    const encoded = text.slice(code > 0xffff ? 2 : 1).trimEnd();
    return base64Text.test(encoded) ? { channel: code - zero, bytes: Buffer.from(encoded, "base64") } : undefined;
  },
};

export function codecOf(protocol: string): ChannelCodec {
  return protocol.includes("base64.") ? base64Codec : binaryCodec;
}
