import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { Duplex } from "node:stream";
import { constants, createDeflate, createInflate } from "node:zlib";
import { spdyDictionary } from "#streaming/spdy/dictionary.ts";

/** The server's answer to an upgrade it did not want. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];

  constructor(status: number, body: string, headers: IncomingMessage["headers"]) {
    super(`upgrade refused: ${status} ${body}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Asks for an upgrade as `headers` say; gives the raw connection, or rejects with `UpgradeRefused`. */
export function upgrade(url: string, headers: Readonly<Record<string, string>>, options: RequestOptions = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{ response: IncomingMessage; socket: Duplex }>();
  const ask = url.startsWith("https:") ? httpsRequest : httpRequest;
  const request = ask(url, { method: "POST", ...options, headers: { Connection: "Upgrade", ...headers } });
  request.on("upgrade", (response, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    resolve({ response, socket });
  });
  request.on("response", (response) => {
    response.setEncoding("utf8");
    let body = "";
    response.on("data", (text: string) => (body += text));
    response.on("end", () => reject(new UpgradeRefused(response.statusCode ?? 0, body, response.headers)));
  });
  request.on("error", reject);
  request.end();
  return promise;
}

/** Connects a SPDY client to a streaming URL. */
export async function connectSpdy(url: string, protocols: string, options: RequestOptions = {}): Promise<SpdyClient> {
  const headers = { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": protocols };
  const { response, socket } = await upgrade(url, headers, options);
  return new SpdyClient(socket, String(response.headers["x-stream-protocol-version"]));
}

/** A stream that the client opened. Ending it half-closes, destroying it sends RST_STREAM. */
export class ClientStream extends Duplex {
  readonly id: number;
  readonly #client: SpdyClient;
  wasReset = false;

  constructor(id: number, client: SpdyClient) {
    super({ readableHighWaterMark: 64 * 1024 });
    this.id = id;
    this.#client = client;
    this.on("error", () => {});
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#client.sendData(this.id, chunk, 0, done);
  }

  override _final(done: () => void): void {
    this.#client.sendData(this.id, Buffer.alloc(0), 1, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.wasReset && !this.#client.transport.destroyed) this.#client.sendReset(this.id);
    done(error);
  }
}

/**
 * The client's end of SPDY/3.1 as moby/spdystream does it, written apart from the server's so that the two do not share
 * mistakes: headers are really compressed, windows are ignored, and anything odd from the server is an error.
 */
export class SpdyClient {
  readonly transport: Duplex;
  readonly protocol: string;
  readonly closed: Promise<void>;
  readonly goAways: number[] = [];
  readonly #streams = new Map<number, ClientStream>();
  readonly #replies = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #pings = new Map<number, () => void>();
  readonly #deflate = createDeflate({ dictionary: spdyDictionary, level: 9 });
  readonly #inflate = createInflate();
  #compressed: Buffer[] = [];
  #nextId = 1;
  #opening: Promise<unknown> = Promise.resolve();
  #rest: Buffer = Buffer.alloc(0);

  constructor(transport: Duplex, protocol: string) {
    this.transport = transport;
    this.protocol = protocol;
    this.#deflate.on("data", (part: Buffer) => this.#compressed.push(part));
    this.#inflate.resume();
    transport.on("data", (chunk: Buffer) => this.#onBytes(chunk));
    transport.on("error", () => {});
    transport.on("end", () => transport.end());
    this.closed = new Promise((resolve) => {
      transport.on("close", () => {
        this.#deflate.destroy();
        this.#inflate.destroy();
        for (const { reject } of this.#replies.values()) reject(new Error("connection closed"));
        for (const stream of this.#streams.values()) {
          stream.wasReset = true;
          stream.destroy(new Error("connection closed"));
        }
        resolve();
      });
    });
  }

  /** Opens a stream and waits for the reply; rejects when the server resets it instead. */
  openStream(headers: Record<string, string>): Promise<ClientStream> {
    const opened = this.#opening.then(() => this.#open(headers));
    this.#opening = opened.catch(() => {});
    return opened.then(async ({ stream, replied }) => {
      await replied;
      return stream;
    });
  }

  /** Sends a PING and waits for its answer. */
  ping(id: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pings.set(id, resolve);
      this.sendControl(6, 0, uint32(id));
    });
  }

  sendData(id: number, bytes: Buffer, flags: number, done: (error?: Error | null) => void): void {
    if (this.transport.destroyed) return done(new Error("connection closed"));
    this.transport.write(Buffer.concat([uint32(id), uint32((flags << 24) | bytes.length)]));
    this.transport.write(bytes, done);
  }

  sendReset(id: number): void {
    this.#streams.delete(id);
    this.sendControl(3, 0, Buffer.concat([uint32(id), uint32(5)]));
  }

  sendControl(type: number, flags: number, payload: Buffer): void {
    const header = Buffer.from([0x80, 3, 0, type, flags, 0, 0, 0]);
    header.writeUIntBE(payload.length, 5, 3);
    this.transport.write(Buffer.concat([header, payload]));
  }

  async #open(headers: Record<string, string>) {
    const id = this.#nextId;
    this.#nextId += 2;
    const parts = [uint32(Object.keys(headers).length)];
    for (const text of Object.entries(headers).flat()) parts.push(uint32(Buffer.byteLength(text)), Buffer.from(text));
    this.#compressed = [];
    this.#deflate.write(Buffer.concat(parts));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    const stream = new ClientStream(id, this);
    this.#streams.set(id, stream);
    const replied = new Promise<void>((resolve, reject) => this.#replies.set(id, { resolve, reject }));
    replied.catch(() => {});
    this.sendControl(1, 0, Buffer.concat([uint32(id), uint32(0), Buffer.alloc(2), ...this.#compressed]));
    return { stream, replied };
  }

  #onBytes(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 8) {
      const length = this.#rest.readUIntBE(5, 3);
      if (this.#rest.length < 8 + length) return;
      const [head, payload] = [this.#rest.subarray(0, 8), this.#rest.subarray(8, 8 + length)];
      this.#rest = this.#rest.subarray(8 + length);
      if ((head.readUInt8(0) & 0x80) === 0) this.#onData(head.readUInt32BE(0), head.readUInt8(4), payload);
      else this.#onControl(head.readUInt16BE(2), payload);
    }
  }

  #onData(id: number, flags: number, payload: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (this.#replies.has(id)) throw new Error(`data on stream ${id} before its reply`);
    if (payload.length > 0) stream.push(payload);
    if ((flags & 1) !== 0) stream.push(null);
  }

  #onControl(type: number, payload: Buffer): void {
    const id = payload.readUInt32BE(0);
    if (type === 2) {
      // Replies share one compression state, so an error in any of them fails all later ones.
      this.#inflate.write(payload.subarray(4));
      this.#replies.get(id)?.resolve();
      this.#replies.delete(id);
    } else if (type === 3) this.#onReset(id);
    else if (type === 6) this.#pings.get(id)?.();
    else if (type === 7) this.goAways.push(payload.readUInt32BE(4));
    else throw new Error(`unexpected control frame of type ${type}`);
  }

  #onReset(id: number): void {
    this.#replies.get(id)?.reject(new Error(`stream ${id} was refused`));
    this.#replies.delete(id);
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    if (stream === undefined) return;
    stream.wasReset = true;
    stream.destroy(new Error(`stream ${id} was reset`));
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
