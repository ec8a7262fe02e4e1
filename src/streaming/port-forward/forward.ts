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
  const { request, backend } = forward;
  const gone = new AbortController();
  const onClose = () => {
    if (data.readableEnded && data.writableFinished) return;
    gone.abort(data.errored ?? new DomainError("cancelled", "the stream was closed"));
    // The client waits for the end of the error stream before it forgets the connection.
    void error.endOutput();
  };
  data.once("close", onClose);
  error.discardInput();
  try {
    await backend.portForward(request, port, data, gone.signal);
    await data.endOutput();
  } catch (failure) {
    if (!gone.signal.aborted) {
      forward.onFailure(port, failure);
      const isBroken = failure instanceof DomainError && failure.kind === "aborted";
      if (!isBroken && !error.destroyed) error.write(failureText(request, port, failure));
    }
  } finally {
    data.off("close", onClose);
    await error.endOutput();
    data.destroy();
  }
}

function failureText(request: PortForwardRequest, port: number, failure: unknown): string {
  return `error forwarding port ${port} to pod ${request.sandboxId}: ${messageOf(failure)}`;
}
