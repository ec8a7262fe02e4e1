import type { Duplex } from "node:stream";
import { DomainError } from "#errors/domain-error.ts";
import type { MuxStream } from "../mux-stream.ts";
import type { StreamingSession } from "../session.ts";
import { SpdyConnection } from "../spdy/connection.ts";
import { type RemoteCommand, runSession } from "./run-session.ts";
import { type Outcome, outcomeOfError, renderOutcome } from "./status.ts";

const streamTypes = ["error", "stdin", "stdout", "stderr", "resize"] as const;
type StreamType = (typeof streamTypes)[number];

function isStreamType(name: string | undefined): name is StreamType {
  return streamTypes.some((type) => type === name);
}

interface Limits {
  readonly idleTimeoutMs: number;
  readonly streamCreationTimeoutMs: number;
}

/**
 * Serves one exec or attach over SPDY: waits for the client to open the streams that the request calls for, then runs
 * it. Streams beyond those are accepted, since clients differ in what they open, and their input is dropped.
 */
export function remoteCommandOverSpdy(
  transport: Duplex,
  protocol: string,
  command: RemoteCommand,
  limits: Limits,
): StreamingSession {
  const opened = new Map<StreamType, MuxStream>();
  const complete = Promise.withResolvers<void>();
  const expected = expectedStreams(command, protocol);
  const connection = new SpdyConnection(
    transport,
    {
      refuse(headers) {
        const type = headers.get("streamtype");
        if (!isStreamType(type)) return `unknown streamtype ${type}`;
        return opened.has(type) ? `a second ${type} stream` : undefined;
      },
      onStream(stream) {
        const type = stream.headers.get("streamtype");
        if (!isStreamType(type)) return;
        opened.set(type, stream);
        if (!expected.has(type)) stream.discardInput();
        if (expected.isSubsetOf(opened)) complete.resolve();
      },
    },
    limits.idleTimeoutMs,
  );
  const jsonStatus = protocol.startsWith("v4.");
  const ended = serve(connection, opened, expected, complete.promise, jsonStatus, command, limits);
  return { ended, close: (reason) => connection.destroy(reason) };
}

/** v1 and v2 know no resize stream; the later ones open it for every terminal, even one whose size never changes. */
function expectedStreams({ request }: RemoteCommand, protocol: string): ReadonlySet<StreamType> {
  const resizes = protocol.startsWith("v4.") || protocol.startsWith("v3.");
  const wanted = { error: true, ...request, resize: request.tty && resizes };
  return new Set(streamTypes.filter((type) => wanted[type]));
}

async function serve(
  connection: SpdyConnection,
  opened: ReadonlyMap<StreamType, MuxStream>,
  expected: ReadonlySet<StreamType>,
  complete: Promise<void>,
  jsonStatus: boolean,
  command: RemoteCommand,
  limits: Limits,
): Promise<Outcome> {
  const missing = await waitForStreams(connection.signal, opened, expected, complete, limits.streamCreationTimeoutMs);
  const error = opened.get("error");
  if (missing !== undefined || error === undefined) {
    if (!connection.signal.aborted) command.onFailure(missing);
    const outcome = outcomeOfError(command.doing, missing ?? "no error stream");
    error?.end(renderOutcome(outcome, jsonStatus));
    await connection.finish();
    return outcome;
  }
  const wanted = (type: StreamType) => (expected.has(type) ? opened.get(type) : undefined);
  return await runSession(
    {
      error,
      stdin: wanted("stdin"),
      stdout: wanted("stdout"),
      stderr: wanted("stderr"),
      resize: wanted("resize"),
      jsonStatus,
      signal: connection.signal,
      finish: () => connection.finish(),
    },
    command,
  );
}

/** Why the session cannot start, or undefined once every expected stream is there. */
async function waitForStreams(
  gone: AbortSignal,
  opened: ReadonlyMap<StreamType, MuxStream>,
  expected: ReadonlySet<StreamType>,
  complete: Promise<void>,
  timeoutMs: number,
): Promise<unknown> {
  const result = Promise.withResolvers<unknown>();
  const onGone = () => result.resolve(gone.reason);
  gone.addEventListener("abort", onGone);
  const timer = setTimeout(() => {
    const absent = [...expected].filter((type) => !opened.has(type)).join(", ");
    result.resolve(new DomainError("deadline-exceeded", `client opened no ${absent} stream in ${timeoutMs} ms`));
  }, timeoutMs);
  void complete.then(() => result.resolve(undefined));
  try {
    return await result.promise;
  } finally {
    clearTimeout(timer);
    gone.removeEventListener("abort", onGone);
  }
}
