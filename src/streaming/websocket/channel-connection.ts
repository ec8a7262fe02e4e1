import type { WebSocket } from "ws";
import { DomainError } from "#errors/domain-error.ts";
import { IdleTimer } from "../idle-timer.ts";
import { InboundGate } from "../inbound-gate.ts";
import { MuxStream, type StreamCarrier } from "../mux-stream.ts";
import type { ChannelCodec } from "./channel-codec.ts";

/** RFC 6455, 7.4.1. */
const CloseCode = { normal: 1000, invalidPayload: 1007, internalError: 1011 } as const;

/** Protocol v5: a message on this channel names, in one byte, the channel that the client sends no more on. */
const closeChannel = 255;

/** Bytes that may wait for the client before writers are held back. */
const outboundLimitBytes = 64 * 1024;

/** Bytes per message; larger ones could be sent only by a client that buffers without bound itself. */
const maxMessagePart = 64 * 1024;

const noHeaders: ReadonlyMap<string, string> = new Map();

export interface ChannelOptions {
  readonly codec: ChannelCodec;
  /** The numbers of the channels in use; messages on others are ignored. */
  readonly channels: readonly number[];
  /** Understand the close signal of protocol v5. */
  readonly canHalfClose: boolean;
  readonly idleTimeoutMs: number;
}

/** The server's end of Kubernetes' channels over one WebSocket connection. */
export class ChannelConnection implements StreamCarrier {
  readonly #socket: WebSocket;
  readonly #options: ChannelOptions;
  readonly #channels = new Map<number, MuxStream>();
  readonly #gate: InboundGate;
  readonly #idle: IdleTimer;
  readonly #gone = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #waiting: ((error?: Error | null) => void)[] = [];

  constructor(socket: WebSocket, options: ChannelOptions) {
    this.#socket = socket;
    this.#options = options;
    for (const id of options.channels) this.#channels.set(id, new MuxStream(id, noHeaders, this));
    this.#gate = new InboundGate(
      () => socket.pause(),
      () => socket.resume(),
    );
    this.#idle = new IdleTimer(options.idleTimeoutMs, () =>
      this.destroy(new DomainError("deadline-exceeded", `no traffic for ${options.idleTimeoutMs} ms`)),
    );
    socket.on("error", () => {});
    socket.on("ping", () => this.#idle.touch());
    socket.on("close", () => this.#onClosed());
    socket.on("message", (data: Buffer) => this.#onMessage(data));
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  channel(id: number): MuxStream | undefined {
    return this.#channels.get(id);
  }

  /** Ends all channels and closes the connection once the client has been sent everything. */
  async finish(): Promise<void> {
    this.#gate.openForGood();
    const channels = [...this.#channels.values()];
    for (const channel of channels) channel.discardInput();
    await Promise.all(channels.map((channel) => channel.endOutput()));
    this.#socket.close(CloseCode.normal);
    await this.#closed.promise;
  }

  /** Ends the connection at once; `reason` becomes the reason of `signal`. */
  destroy(reason: Error): void {
    if (this.#gone.signal.aborted) return;
    this.#socket.close(CloseCode.internalError, reason.message.slice(0, 100));
    this.#tearDown(reason);
    this.#socket.terminate();
  }

  send(stream: MuxStream, chunk: Buffer, done: (error?: Error | null) => void): void {
    const part = chunk.subarray(0, maxMessagePart);
    const rest = chunk.subarray(part.length);
    this.#write(stream.id, part, rest.length === 0 ? done : () => this.send(stream, rest, done));
  }

  /** There is no message for the end of output: clients see it when the connection closes. */
  sendEnd(_stream: MuxStream, done: (error?: Error | null) => void): void {
    done();
  }

  /** One channel cannot be given up; what the client still sends on it is ignored. */
  sendReset(_stream: MuxStream): void {}

  wantsInput(stream: MuxStream): void {
    this.#gate.open(stream);
  }

  isFull(stream: MuxStream): void {
    this.#gate.close(stream);
  }

  forget(stream: MuxStream): void {
    this.#channels.delete(stream.id);
    this.#gate.open(stream);
  }

  #write(channel: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    this.#idle.touch();
    if (this.#gone.signal.aborted || this.#socket.readyState !== this.#socket.OPEN) {
      done(new DomainError("cancelled", "client closed the connection"));
      return;
    }
    const { codec } = this.#options;
    this.#socket.send(codec.encode(channel, bytes), { binary: codec.isBinary }, () => this.#release());
    if (this.#socket.bufferedAmount < outboundLimitBytes) done();
    else this.#waiting.push(done);
  }

  /** Lets the writers go on once the socket holds little enough. */
  #release(): void {
    if (this.#socket.bufferedAmount >= outboundLimitBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  #onMessage(data: Buffer): void {
    this.#idle.touch();
    if (data.length === 0) return;
    const message = this.#options.codec.decode(data);
    if (message === undefined) {
      this.#socket.close(CloseCode.invalidPayload, "message is not base64 after its channel");
      return;
    }
    if (message.channel === closeChannel && this.#options.canHalfClose) {
      const [id] = message.bytes;
      if (id !== undefined) this.#channels.get(id)?.receiveEnd();
      return;
    }
    if (message.bytes.length > 0) this.#channels.get(message.channel)?.receive(message.bytes);
  }

  #onClosed(): void {
    this.#tearDown(new DomainError("cancelled", "client closed the connection"));
    this.#closed.resolve();
  }

  #tearDown(reason: Error): void {
    this.#idle.stop();
    this.#gate.openForGood();
    this.#gone.abort(reason);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(reason);
    for (const channel of this.#channels.values()) channel.receiveReset(reason);
  }
}
