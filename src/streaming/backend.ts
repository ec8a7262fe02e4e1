/**
 * The seam between the streaming protocols and what they serve. A `StreamingBackend` runs the commands and opens the
 * connections; everything in this folder besides it only moves bytes. The server calls it from the thread it runs in:
 * inside the streaming worker the backend is built there, by the module named in `BackendModule` (see `worker.ts`), so
 * that file descriptors of processes and sockets are used in the thread that carries their bytes.
 *
 * What a backend can rely on:
 *
 * - Only the streams that were asked for are present. `stdin` ends when the client half-closes it (SPDY FIN, WebSocket v5
 *   CLOSE); older WebSocket protocols cannot half-close, there it ends only with the connection.
 * - All streams apply backpressure both ways and hold a small, fixed amount. A `stdin` that is not read stops the
 *   client; since SPDY as Kubernetes speaks it has no windows, this stops everything else on that connection too.
 * - `stdin.destroy()` says that no more input is wanted: what still arrives is thrown away.
 * - Ending `stdout` or `stderr` is optional and tells the client end-of-file. The server ends what is still open once
 *   the promise settles, waits until the client has taken everything, then sends the status and closes.
 * - `signal` aborts when the client is gone, the session was idle too long, or the server closes; never after the promise
 *   has settled. The streams are destroyed at that moment. The promise should settle soon after; its result is then
 *   ignored.
 * - A `for await` over `stream` or `stdin` destroys it when the loop is left, and with it, for `stream`, the other half;
 *   `pipeline` keeps the halves apart.
 * - Streams may be destroyed at any time, so they may emit `error`; the server listens, a backend need not.
 */
import type { Duplex, Readable, Writable } from "node:stream";
import type { Logger } from "#observability/logger.ts";

/** Columns and rows of a terminal. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** A CRI ExecRequest. */
export interface ExecRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A CRI AttachRequest. */
export interface AttachRequest {
  readonly containerId: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A CRI PortForwardRequest. `ports` is used by WebSocket clients only; SPDY clients name the port with each stream. */
export interface PortForwardRequest {
  readonly sandboxId: string;
  readonly ports: readonly number[];
}

/** The standard streams of one exec or attach session. */
export interface SessionStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /**
   * Terminal sizes as the client reports them, for one reader. A size that was not taken yet is replaced by a newer
   * one. Ends with the session, or at once when the protocol or the request knows no terminal.
   */
  readonly resize: AsyncIterable<TerminalSize>;
}

export interface StreamingBackend {
  /**
   * Runs a command. Resolves when the command has ended and its output has been written to the streams; `exitCode` is
   * 0 to 255. A rejection is shown to the client as an internal error with the message of what was thrown.
   */
  exec(request: ExecRequest, streams: SessionStreams, signal: AbortSignal): Promise<{ exitCode: number }>;

  /** Joins the streams of a running container. Resolves when the container's output or the wanted input has ended. */
  attach(request: AttachRequest, streams: SessionStreams, signal: AbortSignal): Promise<void>;

  /**
   * Copies between `stream` and a TCP connection to `port` inside the sandbox, half-closing each side as the other
   * ends, and resolves when both are done, or the server is and the client sends nothing more. Called once per forwarded connection; `signal` and `stream` belong to this
   * one connection. Reject with a `DomainError` of kind "aborted" when an established connection broke: only this
   * stream is reset then. Any other rejection (say, connection refused) is also reported as text, upon which kubectl
   * gives up the whole port-forward.
   */
  portForward(request: PortForwardRequest, port: number, stream: Duplex, signal: AbortSignal): Promise<void>;

  /** Releases what the backend holds. Called once, after the last session has ended. */
  close?(): Promise<void>;
}

/** Names the backend that the streaming worker builds. */
export interface BackendModule {
  /** `import.meta.resolve`d URL of a module that exports `createBackend: CreateBackend`. */
  readonly url: string;
  /** What `createBackend` gets: anything that `structuredClone` can copy. */
  readonly config: unknown;
}

/** Builds the backend, in the thread where it is used. */
export type CreateBackend = (context: BackendContext) => StreamingBackend | Promise<StreamingBackend>;

export interface BackendContext {
  readonly config: unknown;
  readonly logger: Logger;
  /**
   * Asks the thread that started the worker, say for the state of a container; `payload` and the answer are copied.
   * For control only: bytes of sessions never take this way. Rejects with the `DomainError` that the other side threw.
   */
  readonly ask: (method: string, payload: unknown) => Promise<unknown>;
}
