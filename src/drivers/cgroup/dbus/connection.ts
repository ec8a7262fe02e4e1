import { once } from "node:events";
import net from "node:net";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { decodeMessage, encodeMessage, messageType } from "./message.ts";
import type { DbusMessage } from "./message.ts";
import type { DbusValue } from "./values.ts";

export interface DbusCall {
  destination: string;
  path: string;
  interface: string;
  member: string;
  signature: string;
  body: readonly DbusValue[];
}

/** An error that the called service answered with; `dbusName` is its name. */
export class DbusError extends Error {
  override readonly name = "DbusError";
  readonly dbusName: string;

  constructor(dbusName: string, message: string) {
    super(message);
    this.dbusName = dbusName;
  }
}

/** Longest time for an answer: systemd is slow while it reloads its units. */
const callTimeoutMs = 60_000;

/**
 * A connection to a message bus, or directly to a service, over a unix socket. It does not keep the process alive. Once it is lost
 * all calls fail; whoever wants another makes another.
 */
export class DbusConnection {
  readonly #socket: net.Socket;
  readonly #calls = new Map<number, { resolve: (body: readonly DbusValue[]) => void; reject: (why: Error) => void }>();
  readonly #listeners = new Set<(signal: DbusMessage) => void>();
  readonly #lost = new Set<(why: Error) => void>();
  #received: Buffer = Buffer.alloc(0);
  #serial = 0;
  #failure: Error | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.unref();
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /**
   * Connects and authenticates as the user of this process (EXTERNAL).
   * @throws DomainError unavailable naming the socket
   */
  static async open(socketPath: string): Promise<DbusConnection> {
    const socket = net.createConnection({ path: socketPath });
    try {
      await once(socket, "connect");
      const rest = await authenticate(socket);
      const connection = new DbusConnection(socket);
      connection.#take(rest);
      return connection;
    } catch (error) {
      socket.destroy();
      throw new DomainError("unavailable", `cannot speak D-Bus on ${socketPath}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Calls a method and gives back what it answers.
   * @throws DbusError with the service's answer, DomainError unavailable|deadline-exceeded when there is none
   */
  async call(call: DbusCall): Promise<readonly DbusValue[]> {
    if (this.#failure !== undefined) throw unanswered(call, this.#failure);
    this.#serial += 1;
    const serial = this.#serial;
    const { promise, resolve, reject } = Promise.withResolvers<readonly DbusValue[]>();
    this.#calls.set(serial, { resolve, reject: (why) => reject(unanswered(call, why)) });
    const timer = setTimeout(() => {
      reject(
        new DomainError(
          "deadline-exceeded",
          `${call.destination} did not answer ${call.member} within ${callTimeoutMs / 1000} s`,
        ),
      );
    }, callTimeoutMs);
    try {
      this.#socket.write(encodeMessage({ ...call, type: messageType.call, serial, replySerial: 0, errorName: "" }));
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(serial);
    }
  }

  /** Calls `listener` for every signal that comes, and `lost` once when none can come any more. Returns how to stop that. */
  onSignal(listener: (signal: DbusMessage) => void, lost: (why: Error) => void): () => void {
    this.#listeners.add(listener);
    this.#lost.add(lost);
    if (this.#failure !== undefined) lost(this.#failure);
    return () => {
      this.#listeners.delete(listener);
      this.#lost.delete(lost);
    };
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      for (let next = decodeMessage(this.#received); next !== undefined; next = decodeMessage(this.#received)) {
        this.#received = next.rest;
        this.#handle(next.message);
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(messageOf(error)));
      this.#socket.destroy();
    }
  }

  #handle(message: DbusMessage): void {
    if (message.type === messageType.signal) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const call = this.#calls.get(message.replySerial);
    if (message.type === messageType.answer) call?.resolve(message.body);
    if (message.type === messageType.error) {
      const [words] = message.body;
      call?.reject(new DbusError(message.errorName, typeof words === "string" ? words : message.errorName));
    }
  }

  #fail(why: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    for (const { reject } of this.#calls.values()) reject(why);
    for (const lost of this.#lost) lost(why);
  }
}

function unanswered(call: DbusCall, why: Error): Error {
  if (why instanceof DbusError) return why;
  return new DomainError("unavailable", `${call.destination} did not answer ${call.member}: ${why.message}`, {
    cause: why,
  });
}

/** The line protocol before the first message; gives back what came after it. */
async function authenticate(socket: net.Socket): Promise<Buffer> {
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  let received: Buffer = Buffer.alloc(0);
  while (!received.includes("\r\n")) {
    const ended = once(socket, "end").then((): never => {
      throw new Error("the connection was closed during authentication");
    });
    ended.catch(() => {});
    const [bytes] = (await Promise.race([once(socket, "data"), ended])) as [Buffer];
    received = Buffer.concat([received, bytes]);
  }
  const end = received.indexOf("\r\n");
  const line = received.toString("utf8", 0, end);
  if (!line.startsWith("OK")) throw new Error(`authentication was refused: ${line}`);
  socket.write("BEGIN\r\n");
  return received.subarray(end + 2);
}
