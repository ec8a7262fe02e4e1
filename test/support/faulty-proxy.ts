import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";

/** What to do to the answer of one request. */
export type Fault =
  /** Answer with this status and body instead of asking the registry. */
  | { kind: "answer"; status: number; body?: string; headers?: Record<string, string> }
  /** Pass this many bytes of the body, then cut the connection. */
  | { kind: "cut"; afterBytes: number }
  /** Pass the body with its bytes from this offset on inverted. */
  | { kind: "corrupt"; fromByte: number }
  /** Pass this many bytes of the body, then send nothing more until `release` resolves. */
  | { kind: "stall"; afterBytes: number; release: Promise<void> };

export interface SeenRequest {
  method: string;
  /** Path and query. */
  target: string;
  range: string | undefined;
  /** How many requests for this target came before. */
  earlier: number;
}

export interface FaultyProxy extends AsyncDisposable {
  /** `127.0.0.1:<port>`, to be used in place of the registry's. */
  readonly host: string;
  /** Every request so far, in order. */
  readonly seen: readonly SeenRequest[];
  stop(): Promise<void>;
}

/** A proxy before a registry that breaks what `decide` says and passes on everything else. */
export async function startFaultyProxy(
  upstream: string,
  decide: (request: SeenRequest) => Fault | undefined,
): Promise<FaultyProxy> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const target = request.url ?? "/";
    const one: SeenRequest = {
      method: request.method ?? "GET",
      target,
      range: request.headers.range,
      earlier: seen.filter((before) => before.target === target).length,
    };
    seen.push(one);
    const fault = decide(one);
    if (fault?.kind === "answer") {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    } else {
      pass(upstream, request, response, fault);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
  const stop = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { host: `127.0.0.1:${address.port}`, seen, stop, [Symbol.asyncDispose]: stop };
}

function pass(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Exclude<Fault, { kind: "answer" }> | undefined,
): void {
  const onward = forward(
    `http://${upstream}${request.url ?? "/"}`,
    { method: request.method ?? "GET", headers: { ...request.headers, host: upstream } },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const done = fault === undefined ? passAll(answer, response) : passBroken(answer, response, fault);
      done.catch(() => response.destroy());
    },
  );
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}

async function passAll(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const chunk of answer) await write(response, chunk as Buffer);
  response.end();
}

async function passBroken(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Exclude<Fault, { kind: "answer" }>,
): Promise<void> {
  let passed = 0;
  for await (const piece of answer) {
    const chunk = piece as Buffer;
    if (fault.kind === "corrupt") {
      const from = Math.max(0, fault.fromByte - passed);
      for (let index = from; index < chunk.length; index += 1) chunk[index] = (chunk[index] ?? 0) ^ 0xff;
      await write(response, chunk);
    } else {
      const left = fault.afterBytes - passed;
      await write(response, chunk.subarray(0, Math.max(0, left)));
      if (left < chunk.length && fault.kind === "cut") {
        response.destroy();
        return;
      }
      if (left < chunk.length && fault.kind === "stall") {
        await fault.release;
        await write(response, chunk.subarray(Math.max(0, left)));
      }
    }
    passed += chunk.length;
  }
  response.end();
}

async function write(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (chunk.length === 0 || response.destroyed || response.write(chunk)) return;
  const settled = new AbortController();
  const signal = settled.signal;
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  settled.abort();
}
