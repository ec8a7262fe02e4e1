import { randomBytes } from "node:crypto";
import { Duplex } from "node:stream";
import { upgrade } from "./spdy-client.ts";

/**
 * A WebSocket connection as a byte stream, for the SPDY tunnel: the ws package's client refuses the tunnel's protocol
 * name because of its slash, which Kubernetes uses all the same. Payloads of binary frames are the bytes.
 */
export async function connectTunnel(url: string, protocol: string): Promise<{ tunnel: Duplex; protocol: string }> {
  const { response, socket } = await upgrade(
    url,
    {
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      "Sec-WebSocket-Protocol": protocol,
    },
    { method: "GET" },
  );
  return { tunnel: new Tunnel(socket), protocol: String(response.headers["sec-websocket-protocol"]) };
}

/** What Kubernetes' client puts into one message. */
const messageBytes = 32 * 1024;

class Tunnel extends Duplex {
  readonly #socket: Duplex;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Duplex) {
    super();
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.destroy());
    socket.on("data", (chunk: Buffer) => this.#onBytes(chunk));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (let start = 0; start < chunk.length; start += messageBytes)
      this.#socket.write(maskedFrame(2, chunk.subarray(start, start + messageBytes)));
    this.#socket.write(Buffer.alloc(0), () => done());
  }

  override _final(done: () => void): void {
    this.#socket.end(maskedFrame(8, Buffer.from([0x03, 0xe8])), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #onBytes(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const frame = serverFrame(this.#rest);
      if (frame === undefined) return;
      this.#rest = this.#rest.subarray(frame.size);
      if (frame.opcode === 8) this.push(null);
      else this.push(frame.payload);
    }
  }
}

/** RFC 6455, 5.2: clients mask. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const header = Buffer.alloc(10);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(payload.length), 2);
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([header, mask, masked]);
}

function serverFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1);
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return undefined;
  const payload = bytes.subarray(start, start + length);
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, size: start + length };
}
