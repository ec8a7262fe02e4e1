import type { Duplex } from "node:stream";
import type { MuxStream } from "../mux-stream.ts";
import type { StreamingSession } from "../session.ts";
import { SpdyConnection } from "../spdy/connection.ts";
import { forwardOne, type PortForward } from "./forward.ts";

interface Limits {
  readonly idleTimeoutMs: number;
  readonly streamCreationTimeoutMs: number;
}

/** The two streams of one forwarded connection, while one of them is still awaited. */
interface HalfPair {
  data?: MuxStream;
  error?: MuxStream;
  readonly timer: NodeJS.Timeout;
}

/**
 * Serves port forwarding over SPDY: any number of connections, each a data and an error stream that share a `requestid`
 * header. What happens to one pair touches no other.
 */
export function portForwardOverSpdy(transport: Duplex, forward: PortForward, limits: Limits): StreamingSession {
  const pairs = new StreamPairs(forward, limits.streamCreationTimeoutMs);
  const connection = new SpdyConnection(transport, pairs, limits.idleTimeoutMs);
  const ended = connection.closed.then(() => pairs.close());
  return { ended, close: (reason) => connection.destroy(reason) };
}

class StreamPairs {
  readonly #forward: PortForward;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<string, HalfPair>();
  readonly #running = new Set<Promise<void>>();

  constructor(forward: PortForward, timeoutMs: number) {
    this.#forward = forward;
    this.#timeoutMs = timeoutMs;
  }

  refuse(headers: ReadonlyMap<string, string>, streamId: number): string | undefined {
    const type = headers.get("streamtype");
    if (type !== "data" && type !== "error") return `unknown streamtype ${type}`;
    if (portOf(headers) === undefined) return `port ${headers.get("port")} is not a port`;
    const other = this.#waiting.get(requestIdOf(headers, streamId));
    return other?.[type] === undefined ? undefined : `a second ${type} stream for one request`;
  }

  onStream(stream: MuxStream): void {
    const requestId = requestIdOf(stream.headers, stream.id);
    const pair = this.#waiting.get(requestId) ?? this.#newPair(requestId);
    pair[stream.headers.get("streamtype") === "data" ? "data" : "error"] = stream;
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    this.#waiting.delete(requestId);
    clearTimeout(pair.timer);
    this.#run(portOf(data.headers) ?? 0, data, error);
  }

  /** Waits for the connections that are still being undone. */
  async close(): Promise<void> {
    for (const pair of this.#waiting.values()) clearTimeout(pair.timer);
    this.#waiting.clear();
    await Promise.all(this.#running);
  }

  #newPair(requestId: string): HalfPair {
    const timer = setTimeout(() => this.#giveUp(requestId), this.#timeoutMs);
    const pair: HalfPair = { timer };
    this.#waiting.set(requestId, pair);
    return pair;
  }

  #giveUp(requestId: string): void {
    const pair = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    pair?.data?.destroy();
    pair?.error?.end(`no data stream for request ${requestId} in ${this.#timeoutMs} ms`);
    pair?.error?.discardInput();
  }

  #run(port: number, data: MuxStream, error: MuxStream): void {
    const running = forwardOne(this.#forward, port, data, error);
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }
}

function portOf(headers: ReadonlyMap<string, string>): number | undefined {
  const text = headers.get("port") ?? "";
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535 ? port : undefined;
}

/**
 * Clients before Kubernetes 1.3 send no request id but open the data stream right after the error stream, which gives
 * the two consecutive odd stream ids.
 */
function requestIdOf(headers: ReadonlyMap<string, string>, streamId: number): string {
  const given = headers.get("requestid");
  if (given !== undefined && given !== "") return given;
  return `stream-${headers.get("streamtype") === "data" ? streamId - 2 : streamId}`;
}
