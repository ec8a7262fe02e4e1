import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { PortForwardRequest, StreamingBackend } from "../backend.ts";
import type { MuxStream } from "../mux-stream.ts";

/** Port forwarding, bound to its request. */
export interface PortForward {
  readonly request: PortForwardRequest;
  readonly backend: Pick<StreamingBackend, "portForward">;
  /** Told of connections that could not be made or broke. */
  onFailure(port: number, error: unknown): void;
}

/**
 * Forwards one connection between its data stream and `port`, and closes both of its streams. A failure is told on the
 * error stream, unless an established connection broke or the client gave up: text there makes kubectl drop all other
 * connections too, so then only this data stream is reset. Never rejects.
 */
export async function forwardOne(forward: PortForward, port: number, data: MuxStream, error: MuxStream): Promise<void> {
  error.discardInput();
  // The client waits for the end of the error stream before it forgets the connection, however long the backend takes.
  data.once("close", () => void (data.wasReset && error.endOutput()));
  try {
    await untilReset(data, (signal) => forward.backend.portForward(forward.request, port, data, signal));
    await data.endOutput();
  } catch (failure) {
    if (!data.wasReset) {
      forward.onFailure(port, failure);
      const isBroken = failure instanceof DomainError && failure.kind === "aborted";
      if (!isBroken && !error.destroyed) error.write(failureText(forward.request, port, failure));
    }
  } finally {
    await error.endOutput();
    data.destroy();
  }
}

/** Runs `work` with a signal that aborts when the client gives `data` up, and not after `work` has settled. */
async function untilReset(data: MuxStream, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const gone = new AbortController();
  const onClose = () => {
    if (data.wasReset) gone.abort(data.errored);
  };
  data.once("close", onClose);
  if (data.closed) onClose();
  try {
    await work(gone.signal);
  } finally {
    data.off("close", onClose);
  }
}

function failureText(request: PortForwardRequest, port: number, failure: unknown): string {
  return `error forwarding port ${port} to pod ${request.sandboxId}: ${messageOf(failure)}`;
}
