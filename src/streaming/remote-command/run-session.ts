import type { SessionStreams } from "../backend.ts";
import type { MuxStream } from "../mux-stream.ts";
import { type Outcome, outcomeOfError, renderOutcome } from "./status.ts";
import { readTerminalSizes, TerminalSizes } from "./terminal-sizes.ts";

/** The streams of an exec or attach session, whichever protocol carries them. */
export interface RemoteCommandChannels {
  readonly stdin: MuxStream | undefined;
  readonly stdout: MuxStream | undefined;
  readonly stderr: MuxStream | undefined;
  readonly resize: MuxStream | undefined;
  readonly error: MuxStream;
  /** The error stream speaks JSON: protocol v4 and later. */
  readonly jsonStatus: boolean;
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal;
  /** Ends all streams and the connection in order. */
  finish(): Promise<void>;
}

/** Exec or attach, bound to its request. */
export interface RemoteCommand {
  readonly request: {
    readonly tty: boolean;
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  };
  /** For the message of a failure: "error executing command in container". */
  readonly doing: string;
  run(streams: SessionStreams, signal: AbortSignal): Promise<Outcome>;
  /** Told of sessions that failed while the client was there. */
  onFailure(error: unknown): void;
}

/**
 * Runs the command on the channels, then hands the client its output, the outcome and the end of the connection, in
 * that order. Never rejects: a failure is the outcome.
 */
export async function runSession(channels: RemoteCommandChannels, command: RemoteCommand): Promise<Outcome> {
  const sizes = new TerminalSizes();
  if (channels.resize === undefined) sizes.close();
  else readTerminalSizes(channels.resize, sizes);
  const { stdin, stdout, stderr, error, signal } = channels;
  error.discardInput();
  stdout?.discardInput();
  stderr?.discardInput();
  // A signal of its own, because the connection's aborts after every session, when the process ids that a listener
  // may want to kill belong to others already.
  const running = new AbortController();
  const onGone = () => running.abort(signal.reason);
  signal.addEventListener("abort", onGone);
  if (signal.aborted) onGone();
  let outcome: Outcome;
  try {
    outcome = await command.run({ stdin, stdout, stderr, resize: sizes }, running.signal);
  } catch (failure) {
    if (!signal.aborted) command.onFailure(failure);
    outcome = outcomeOfError(command.doing, failure);
  } finally {
    signal.removeEventListener("abort", onGone);
    sizes.close();
  }
  stdin?.discardInput();
  await Promise.all([stdout?.endOutput(), stderr?.endOutput()]);
  if (!error.destroyed) {
    const text = renderOutcome(outcome, channels.jsonStatus);
    if (text !== "") error.write(text);
    await error.endOutput();
  }
  await channels.finish();
  return outcome;
}
