import type { Readable } from "node:stream";
import { CtlError, type Screen } from "./subcommand.ts";

const protocol = "v5.channel.k8s.io";
/** The first byte of each message says which stream it belongs to; 255 is followed by a stream that has ended. */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** A person's side of a command: what is typed, what is shown. */
export interface Terminal {
  stdin: Readable;
  /** Hands every key over as it is; undefined where lines are to be edited here, or come from no terminal. */
  setRawMode?: (raw: boolean) => unknown;
  stdout: Screen;
  stderr: Screen;
  /** Columns and rows now, and a listener for changes; undefined where there is no terminal. */
  size?: { now(): { columns: number; rows: number }; onChange(listener: () => void): Disposable };
}

/**
 * Runs a command by the URL that the CRI's Exec gave, over a WebSocket, with its streams connected to `terminal`.
 * Resolves with the command's exit code.
 * @throws CtlError when the connection breaks or the server reports anything but an exit code
 */
export async function execStream(url: string, terminal: Terminal, wantsStdin: boolean): Promise<number> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocol);
  socket.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.addEventListener("error", () => reject(new CtlError(`no connection to ${new URL(url).host}`)));
  socket.addEventListener("close", ({ reason }) => reject(new CtlError(reason || "the connection has ended early")));
  socket.addEventListener("message", ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    const [channel] = message;
    if (channel === channels.stdout) terminal.stdout.write(message.subarray(1));
    else if (channel === channels.stderr) terminal.stderr.write(message.subarray(1));
    else if (channel === channels.error) settle(Buffer.from(message.subarray(1)).toString("utf8"), resolve, reject);
  });
  await using connected = new AsyncDisposableStack();
  connected.defer(() => socket.close());
  await opened(socket, promise);
  if (wantsStdin) connected.use(sendStdin(socket, terminal));
  if (terminal.size !== undefined) connected.use(sendSize(socket, terminal.size));
  return await promise;
}

async function opened(socket: WebSocket, failed: Promise<unknown>): Promise<void> {
  const open = new Promise<void>((resolve) => socket.addEventListener("open", () => resolve(), { once: true }));
  await Promise.race([open, failed]);
}

/** The last message of a command: a Kubernetes Status, with the exit code among its causes when it is not zero. */
function settle(text: string, resolve: (exitCode: number) => void, reject: (error: Error) => void): void {
  const { status, message, details } = JSON.parse(text) as {
    status?: string;
    message?: string;
    details?: { causes?: { reason?: string; message?: string }[] };
  };
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode");
  if (status === "Success") resolve(0);
  else if (cause?.message === undefined) reject(new CtlError(message ?? "the command failed"));
  else resolve(Number(cause.message));
}

function sendStdin(socket: WebSocket, { stdin, setRawMode }: Terminal): Disposable {
  const onData = (chunk: Buffer): void => socket.send(framed(channels.stdin, chunk));
  const onEnd = (): void => socket.send(new Uint8Array([channels.close, channels.stdin]));
  setRawMode?.(true);
  stdin.on("data", onData);
  stdin.on("end", onEnd);
  return {
    [Symbol.dispose]: () => {
      setRawMode?.(false);
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      // A paused stdin no longer keeps the process alive.
      stdin.pause();
    },
  };
}

function sendSize(socket: WebSocket, size: NonNullable<Terminal["size"]>): Disposable {
  const send = (): void => {
    const { columns, rows } = size.now();
    socket.send(framed(channels.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows }))));
  };
  send();
  return size.onChange(send);
}

function framed(channel: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(bytes.length + 1);
  message[0] = channel;
  message.set(bytes, 1);
  return message;
}
