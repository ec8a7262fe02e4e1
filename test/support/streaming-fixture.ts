import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RequestOptions } from "node:https";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { silentLogger } from "#observability/logger.ts";
import type { ExecRequest } from "#streaming/backend.ts";
import type { StreamingOptions } from "#streaming/options.ts";
import { createStreamingServer, type StreamingServer } from "#streaming/server.ts";
import { eventually } from "./eventually.ts";
import { type ClientStream, connectSpdy, type SpdyClient } from "./spdy-client.ts";
import { FakeStreamingBackend, pattern } from "./streaming-backend.ts";

export const v4 = "v4.channel.k8s.io";
export const mebibyte = 1024 * 1024;

/** A streaming server in this thread over a made-up backend. */
export class StreamingFixture {
  backend = new FakeStreamingBackend();
  server: StreamingServer = createStreamingServer({}, this.backend, silentLogger);

  /** Starts, or starts again with other options. */
  async start(options: Partial<StreamingOptions> = {}): Promise<void> {
    await this.server.close();
    this.backend = new FakeStreamingBackend();
    this.server = createStreamingServer(options, this.backend, silentLogger);
    await this.server.listen();
  }

  /** Opens an exec session over SPDY with the streams that it calls for. */
  async exec(command: string, flags: Partial<ExecRequest> = {}, protocols = v4): Promise<SpdyExec> {
    const request = execRequest(command, flags);
    return execOverSpdy(await this.server.execUrl(request), request, protocols);
  }

  /** Waits until nothing is left of any session. */
  idle(): Promise<true> {
    return eventually("all sessions are over", async () => {
      const { sessions } = await this.server.stats();
      return sessions === 0 && this.backend.running === 0 ? true : undefined;
    });
  }
}

export function execRequest(command: string, flags: Partial<ExecRequest> = {}): ExecRequest {
  const streams = { tty: false, stdin: false, stdout: true, stderr: false };
  return { containerId: "c1", command: command.split(" "), ...streams, ...flags };
}

export interface SpdyExec {
  readonly client: SpdyClient;
  readonly stream: (name: string) => ClientStream;
}

/** Opens the streams that a Go client would for this request. */
export async function execOverSpdy(
  url: string,
  request: ExecRequest,
  protocols = v4,
  options: RequestOptions = {},
): Promise<SpdyExec> {
  const client = await connectSpdy(url, protocols, options);
  const resize = request.tty && /^v[34]\./.test(client.protocol);
  const wanted = Object.entries({ error: true, ...request, resize }).filter(([, value]) => value === true);
  const streams = new Map<string, ClientStream>();
  for (const [streamtype] of wanted)
    if (streamtype !== "tty") streams.set(streamtype, await client.openStream({ streamtype }));
  const stream = (name: string): ClientStream => {
    const found = streams.get(name);
    assert.ok(found, `stream ${name} is open`);
    return found;
  };
  return { client, stream };
}

export async function sha256(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(stream, hash);
  return hash.digest("hex");
}

export function sha256OfPattern(mebibytes: number): string {
  const hash = createHash("sha256");
  for (const block of pattern(mebibytes)) hash.update(block);
  return hash.digest("hex");
}
