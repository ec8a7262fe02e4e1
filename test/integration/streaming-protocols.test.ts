import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { silentLogger } from "#observability/logger.ts";
import type { ExecRequest } from "#streaming/backend.ts";
import type { StreamingOptions } from "#streaming/options.ts";
import { createStreamingServer, type StreamingServer } from "#streaming/server.ts";
import { startStreamingWorker } from "#streaming/worker.ts";
import { eventually } from "../support/eventually.ts";
import { type ClientStream, connectSpdy, SpdyClient, upgrade, UpgradeRefused } from "../support/spdy-client.ts";
import {
  breakingPort,
  FakeStreamingBackend,
  hangingPort,
  pattern,
  refusingPort,
} from "../support/streaming-backend.ts";
import { connectTunnel } from "../support/websocket-tunnel.ts";

const v4 = "v4.channel.k8s.io";
const mebibyte = 1024 * 1024;

let backend: FakeStreamingBackend;
let server: StreamingServer;

async function start(options: Partial<StreamingOptions> = {}): Promise<void> {
  backend = new FakeStreamingBackend();
  server = createStreamingServer(options, backend, silentLogger);
  await server.listen();
}

function execRequest(command: string, flags: Partial<ExecRequest> = {}): ExecRequest {
  return {
    containerId: "c1",
    command: command.split(" "),
    tty: false,
    stdin: false,
    stdout: true,
    stderr: false,
    ...flags,
  };
}

function noSessions(): Promise<true> {
  return eventually("all sessions are over", async () => {
    const { sessions } = await server.stats();
    return sessions === 0 && backend.running === 0 ? true : undefined;
  });
}

interface SpdyExec {
  readonly client: SpdyClient;
  readonly streams: Readonly<Record<string, ClientStream>>;
  stream(name: string): ClientStream;
}

/** Opens the streams that a Go client would for this request. */
async function execOverSpdy(url: string, request: ExecRequest, protocols = v4): Promise<SpdyExec> {
  const client = await connectSpdy(url, protocols);
  const resizes = request.tty && /^v[34]\./.test(client.protocol);
  const names = ["error", "stdin", "stdout", "stderr", "resize"].filter(
    (name) => name === "error" || (name === "resize" ? resizes : request[name as "stdin" | "stdout" | "stderr"]),
  );
  const streams: Record<string, ClientStream> = {};
  for (const streamtype of names) streams[streamtype] = await client.openStream({ streamtype });
  const stream = (name: string): ClientStream => {
    const found = streams[name];
    assert.ok(found, `stream ${name} is open`);
    return found;
  };
  return { client, streams, stream };
}

async function startExec(command: string, flags: Partial<ExecRequest> = {}, protocols = v4): Promise<SpdyExec> {
  const request = execRequest(command, flags);
  return execOverSpdy(await server.execUrl(request), request, protocols);
}

async function sha256(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(stream, hash);
  return hash.digest("hex");
}

function sha256OfPattern(mebibytes: number): string {
  const hash = createHash("sha256");
  for (const block of pattern(mebibytes)) hash.update(block);
  return hash.digest("hex");
}

beforeEach(() => start());
afterEach(() => server.close());

describe("exec over SPDY", () => {
  test("copies stdin to stdout until the client half-closes, then reports success and goes away", async () => {
    const { client, stream } = await startExec("cat", { stdin: true });
    assert.equal(client.protocol, v4);
    stream("stdin").end("hello");
    assert.equal(await text(stream("stdout")), "hello");
    assert.deepEqual(JSON.parse(await text(stream("error"))), { metadata: {}, status: "Success" });
    await eventually("GOAWAY arrived", () => client.goAways[0] === 0 || undefined);
    client.transport.end();
    await client.closed;
    await noSessions();
  });

  test("reports an exit code in the details of a v4 status after all output", async () => {
    const { client, stream } = await startExec("exit 42", { stderr: true });
    assert.equal(await text(stream("stdout")), "to stdout");
    assert.equal(await text(stream("stderr")), "to stderr");
    const status = JSON.parse(await text(stream("error")));
    assert.equal(status.status, "Failure");
    assert.equal(status.reason, "NonZeroExitCode");
    assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "42" }]);
    client.transport.destroy();
  });

  for (const protocol of ["v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"]) {
    test(`reports failures as text and success as nothing in ${protocol}`, async () => {
      const failed = await startExec("exit 3", {}, protocol);
      assert.match(await text(failed.stream("error")), /non-zero exit code: exit status 3/);
      const succeeded = await startExec("exit 0", {}, protocol);
      assert.equal(await text(succeeded.stream("error")), "");
      for (const { client } of [failed, succeeded]) client.transport.destroy();
    });
  }

  test("reports what the backend throws as an internal error", async () => {
    const { client, stream } = await startExec("fail");
    const status = JSON.parse(await text(stream("error")));
    assert.equal(status.reason, "InternalError");
    assert.match(status.message, /error executing command in container: container c1 has no such command/);
    client.transport.destroy();
  });

  test("hands over terminal sizes", async () => {
    const { client, stream } = await startExec("sizes", { tty: true });
    stream("resize").write('{"Width":80,"Height":24}\n{"Width":1');
    const output = stream("stdout");
    const [first]: unknown[] = await once(output, "data");
    assert.equal(String(first), "80x24 ");
    stream("resize").end('00,"height":30}\n');
    assert.equal(await text(output), "100x30 ");
    client.transport.destroy();
  });

  test("serves attach in the same way", async () => {
    const request = execRequest("", { stdin: true });
    const { client, stream } = await execOverSpdy(await server.attachUrl(request), request);
    stream("stdin").end("input");
    assert.equal(await text(stream("stdout")), "attached input");
    assert.equal(JSON.parse(await text(stream("error"))).status, "Success");
    client.transport.destroy();
  });

  test("carries 50 MiB intact in each direction", async () => {
    const up = await startExec("hash", { stdin: true });
    const [, answer] = await Promise.all([
      pipeline(Readable.from(pattern(50)), up.stream("stdin")),
      text(up.stream("stdout")),
    ]);
    assert.equal(answer, sha256OfPattern(50));
    const down = await startExec("pour 50");
    assert.equal(await sha256(down.stream("stdout")), sha256OfPattern(50));
    for (const { client } of [up, down]) client.transport.destroy();
  });

  test("answers PING while streams are open", async () => {
    const { client } = await startExec("hang");
    await client.ping(7);
    client.transport.destroy();
  });

  test("takes the status to a client that is still sending input", async () => {
    const { client, stream } = await startExec("first", { stdin: true });
    const stdin = stream("stdin");
    const sending = pipeline(Readable.from(pattern(20)), stdin).catch(() => {});
    assert.equal(await text(stream("stdout")), "T");
    assert.equal(JSON.parse(await text(stream("error"))).status, "Success");
    client.transport.destroy();
    await sending;
    await noSessions();
  });

  test("refuses a stream of unknown type and serves the others", async () => {
    const client = await connectSpdy(await server.execUrl(execRequest("exit 0")), v4);
    await assert.rejects(client.openStream({ streamtype: "nonsense" }), /refused/);
    const error = await client.openStream({ streamtype: "error" });
    await client.openStream({ streamtype: "stdout" });
    assert.equal(JSON.parse(await text(error)).status, "Success");
    client.transport.destroy();
  });

  test("gives up on a client that does not open its streams", async () => {
    await server.close();
    await start({ streamCreationTimeoutMs: 50 });
    const client = await connectSpdy(await server.execUrl(execRequest("cat", { stdin: true })), v4);
    const error = await client.openStream({ streamtype: "error" });
    assert.match(JSON.parse(await text(error)).message, /opened no stdin, stdout stream in 50 ms/);
    client.transport.destroy();
    await noSessions();
    assert.equal(backend.abortReasons.length, 0);
  });

  test("ends the connection of a client that breaks the protocol", async () => {
    const { client } = await startExec("hang");
    client.sendControl(1, 0, Buffer.alloc(20, 0xff));
    await client.closed;
    assert.deepEqual(client.goAways, [1]);
    await noSessions();
    assert.match(backend.abortReasons[0] ?? "", /header block/);
  });
});

describe("exec over WebSocket", () => {
  interface Messages {
    readonly socket: WebSocket;
    readonly closed: Promise<number>;
    received(channel: number): string;
  }

  async function open(url: string, protocol: string | undefined): Promise<Messages> {
    const socket = new WebSocket(url.replace("http", "ws"), protocol);
    const parts = new Map<number, Buffer[]>();
    const isBase64 = protocol?.includes("base64") ?? false;
    socket.on("message", (data: Buffer, isBinary) => {
      assert.equal(isBinary, !isBase64);
      const channel = (data[0] ?? 0) - (isBase64 ? 0x30 : 0);
      const bytes = isBase64 ? Buffer.from(data.toString("latin1", 1), "base64") : data.subarray(1);
      parts.set(channel, [...(parts.get(channel) ?? []), bytes]);
    });
    const closed = once(socket, "close").then(([code]) => Number(code));
    await once(socket, "open");
    assert.equal(socket.protocol, protocol ?? "");
    return { socket, closed, received: (channel) => Buffer.concat(parts.get(channel) ?? []).toString() };
  }

  test("v5 half-closes stdin with the close channel and reports a JSON status", async () => {
    const { socket, closed, received } = await open(
      await server.execUrl(execRequest("cat", { stdin: true })),
      "v5.channel.k8s.io",
    );
    socket.send(Buffer.from("\0hello "));
    socket.send(Buffer.from("\0wo"), { fin: false });
    socket.send(Buffer.from("rld"), { fin: true });
    socket.send(Buffer.from([255, 0]));
    assert.equal(await closed, 1000);
    assert.equal(received(1), "hello world");
    assert.equal(JSON.parse(received(3)).status, "Success");
    await noSessions();
  });

  for (const protocol of ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"]) {
    test(`${protocol} reports the exit code in JSON`, async () => {
      const { closed, received } = await open(await server.execUrl(execRequest("exit 9", { stderr: true })), protocol);
      assert.equal(await closed, 1000);
      assert.equal(received(1), "to stdout");
      assert.equal(received(2), "to stderr");
      assert.equal(JSON.parse(received(3)).details.causes[0].message, "9");
    });
  }

  for (const protocol of [
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    undefined,
  ]) {
    test(`${protocol ?? "no subprotocol"} reports the exit code as text`, async () => {
      const { closed, received } = await open(await server.execUrl(execRequest("exit 9")), protocol);
      assert.equal(await closed, 1000);
      assert.equal(received(1), "to stdout");
      assert.match(received(3), /exit status 9$/);
    });
  }

  test("base64 input is decoded, and what is not base64 ends the connection", async () => {
    const url = await server.execUrl(execRequest("first", { stdin: true }));
    const { socket, closed, received } = await open(url, "v4.base64.channel.k8s.io");
    socket.send(`0${Buffer.from("Xyz").toString("base64")}`);
    assert.equal(await closed, 1000);
    assert.equal(received(1), "X");
    const bad = await open(await server.execUrl(execRequest("cat", { stdin: true })), "base64.channel.k8s.io");
    bad.socket.send("0***");
    assert.equal(await bad.closed, 1007);
  });

  test("hands over terminal sizes from channel 4", async () => {
    const url = await server.execUrl(execRequest("sizes", { tty: true }));
    const { socket, closed, received } = await open(url, "v5.channel.k8s.io");
    socket.send(Buffer.from('\x04{"Width":132,"Height":43}'));
    await eventually("the size came back", () => received(1) === "132x43 " || undefined);
    socket.send(Buffer.from([255, 4]));
    assert.equal(await closed, 1000);
  });

  test("carries 50 MiB intact in each direction", async () => {
    const up = await open(await server.execUrl(execRequest("hash", { stdin: true })), "v5.channel.k8s.io");
    for (const block of pattern(50)) {
      const sent = Promise.withResolvers<void>();
      up.socket.send(Buffer.concat([Buffer.of(0), block]), () => sent.resolve());
      await sent.promise;
    }
    up.socket.send(Buffer.from([255, 0]));
    assert.equal(await up.closed, 1000);
    assert.equal(up.received(1), sha256OfPattern(50));
    const hash = createHash("sha256");
    const socket = new WebSocket((await server.execUrl(execRequest("pour 50"))).replace("http", "ws"), v4);
    socket.on("message", (data: Buffer) => data[0] === 1 && hash.update(data.subarray(1)));
    await once(socket, "close");
    assert.equal(hash.digest("hex"), sha256OfPattern(50));
  });

  test("refuses messages above the limit", async () => {
    const { socket, closed } = await open(await server.execUrl(execRequest("cat", { stdin: true })), v4);
    socket.send(Buffer.alloc(2 * mebibyte));
    assert.equal(await closed, 1009);
    await noSessions();
    assert.equal(backend.abortReasons.length, 1);
  });

  test("answers ping", async () => {
    const { socket } = await open(await server.execUrl(execRequest("hang")), v4);
    socket.ping("are you there");
    const [data]: unknown[] = await once(socket, "pong");
    assert.equal(String(data), "are you there");
    socket.terminate();
  });
});

describe("a client that is slow or gone", () => {
  test("holds back the program when the client does not read", async () => {
    const { client, stream } = await startExec("pour 60");
    client.transport.pause();
    await delay(200);
    const before = process.memoryUsage().arrayBuffers;
    await delay(300);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 8 * mebibyte, `grew by ${grown} bytes`);
    assert.equal(backend.running, 1);
    client.transport.resume();
    assert.equal(await sha256(stream("stdout")), sha256OfPattern(60));
    client.transport.destroy();
  });

  test("holds back the client when the program does not read", async () => {
    const { client, stream } = await startExec("hang", { stdin: true });
    const stdin = stream("stdin");
    let taken = 0;
    const counted = function* () {
      for (const block of pattern(64)) {
        yield block;
        taken += block.length;
      }
    };
    const sending = pipeline(Readable.from(counted()), stdin).catch(() => {});
    await delay(500);
    // What fits into the buffers of two sockets and one stream.
    assert.ok(taken < 32 * mebibyte, `took ${taken} bytes`);
    client.transport.destroy();
    await sending;
    await noSessions();
  });

  test("a broken connection aborts the backend and leaves nothing", async () => {
    const { client, stream } = await startExec("pour 500");
    await once(stream("stdout"), "data");
    client.transport.destroy();
    await noSessions();
    assert.equal(backend.abortReasons.length, 1);
    assert.match(backend.abortReasons[0] ?? "", /client closed the connection/);
  });

  test("an idle session is ended", async () => {
    await server.close();
    await start({ idleTimeoutMs: 100 });
    const { client } = await startExec("hang");
    await client.closed;
    await noSessions();
    assert.match(backend.abortReasons[0] ?? "", /no traffic for 100 ms/);
  });

  test("a hundred sessions that are dropped leak nothing", async () => {
    const before = process.getActiveResourcesInfo().length;
    const dropOne = async (index: number): Promise<void> => {
      if (index % 2 === 0) {
        const { client } = await startExec("hang", { stdin: true });
        client.transport.destroy();
        await client.closed;
      } else {
        const url = await server.execUrl(execRequest("hang", { stdin: true }));
        const socket = new WebSocket(url.replace("http", "ws"), "v5.channel.k8s.io");
        await once(socket, "open");
        socket.terminate();
        await once(socket, "close");
      }
    };
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 10 }, (_, index) => dropOne(index)));
    await noSessions();
    assert.equal((await server.stats()).pending, 0);
    await eventually("no timers or sockets are left", () =>
      process.getActiveResourcesInfo().length <= before ? true : undefined,
    );
  });

  test("closing the server aborts what runs and closes the backend", async () => {
    const { client } = await startExec("hang");
    await server.close();
    await client.closed;
    assert.equal(backend.running, 0);
    assert.match(backend.abortReasons[0] ?? "", /shutting down/);
    assert.ok(backend.closed);
  });
});

describe("port-forward over SPDY", () => {
  interface Pair {
    readonly data: ClientStream;
    readonly error: ClientStream;
  }

  async function openPair(client: SpdyClient, port: number, requestid: string): Promise<Pair> {
    const error = await client.openStream({ streamtype: "error", port: String(port), requestid });
    error.end();
    const data = await client.openStream({ streamtype: "data", port: String(port), requestid });
    return { data, error };
  }

  async function connect(): Promise<SpdyClient> {
    return connectSpdy(await server.portForwardUrl({ sandboxId: "p1", ports: [] }), "portforward.k8s.io");
  }

  test("forwards 20 connections at once, each half-closed by itself", async () => {
    const client = await connect();
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const { data, error } = await openPair(client, 8000 + index, String(index));
        const payload = Buffer.alloc(300_000, `stream ${index} `);
        data.end(payload);
        assert.ok(payload.equals(await buffer(data)));
        assert.equal(await text(error), "");
      }),
    );
    client.transport.destroy();
    await noSessions();
    assert.equal(backend.abortReasons.length, 0);
  });

  test("a reset of one connection leaves the others alive", async () => {
    const client = await connect();
    const doomed = await openPair(client, hangingPort, "doomed");
    const other = await openPair(client, 8000, "other");
    await eventually("both run", () => backend.running === 2 || undefined);
    doomed.data.destroy();
    assert.equal(await text(doomed.error), "");
    await eventually("one is aborted", () => backend.running === 1 || undefined);
    assert.match(backend.abortReasons[0] ?? "", /client reset stream/);
    other.data.end("still here");
    assert.equal(await text(other.data), "still here");
    client.transport.destroy();
  });

  test("tells a refused connection on its error stream, a broken one by a reset only", async () => {
    const client = await connect();
    const refused = await openPair(client, refusingPort, "1");
    assert.match(await text(refused.error), /error forwarding port 1 to pod p1: connection refused/);
    const broken = await openPair(client, breakingPort, "2");
    broken.data.write("x");
    assert.equal(await text(broken.error), "");
    await eventually("the data stream was reset", () => broken.data.wasReset || undefined);
    const fine = await openPair(client, 8000, "3");
    fine.data.end("fine");
    assert.equal(await text(fine.data), "fine");
    client.transport.destroy();
  });

  test("refuses streams without a port and pairs up streams without a request id", async () => {
    const client = await connect();
    await assert.rejects(client.openStream({ streamtype: "error", requestid: "1" }), /refused/);
    await assert.rejects(client.openStream({ streamtype: "data", port: "70000", requestid: "1" }), /refused/);
    const error = await client.openStream({ streamtype: "error", port: "80" });
    const data = await client.openStream({ streamtype: "data", port: "80" });
    data.end("old client");
    assert.equal(await text(data), "old client");
    assert.equal(await text(error), "");
    client.transport.destroy();
  });

  test("gives up on half a pair", async () => {
    await server.close();
    await start({ streamCreationTimeoutMs: 50 });
    const client = await connect();
    const error = await client.openStream({ streamtype: "error", port: "80", requestid: "1" });
    assert.match(await text(error), /no data stream for request 1 in 50 ms/);
    client.transport.destroy();
  });
});

describe("port-forward over WebSocket", () => {
  test("tunnels SPDY in binary messages", async () => {
    const url = await server.portForwardUrl({ sandboxId: "p1", ports: [] });
    const { tunnel, protocol } = await connectTunnel(url, "SPDY/3.1+portforward.k8s.io");
    assert.equal(protocol, "SPDY/3.1+portforward.k8s.io");
    const client = new SpdyClient(tunnel, protocol);
    const error = await client.openStream({ streamtype: "error", port: "80", requestid: "1" });
    error.end();
    const data = await client.openStream({ streamtype: "data", port: "80", requestid: "1" });
    const payload = Buffer.alloc(2 * mebibyte, "tunnel ");
    data.end(payload);
    assert.ok(payload.equals(await buffer(data)));
    assert.equal(await text(error), "");
    tunnel.destroy();
    await noSessions();
  });

  test("starts both channels of each port with the port, then carries data and errors", async () => {
    const url = await server.portForwardUrl({ sandboxId: "p1", ports: [8080, refusingPort] });
    const socket = new WebSocket(url.replace("http", "ws"), v4);
    const channels = new Map<number, Buffer>();
    socket.on("message", (message: Buffer) => {
      const id = message[0] ?? -1;
      channels.set(id, Buffer.concat([channels.get(id) ?? Buffer.alloc(0), message.subarray(1)]));
    });
    await once(socket, "open");
    socket.send(Buffer.from("\0echo"));
    const port = (id: number) => channels.get(id)?.readUInt16LE(0);
    const rest = (id: number) => channels.get(id)?.toString("utf8", 2);
    await eventually("the echo and the error arrived", () =>
      rest(0) === "echo" && rest(3)?.includes("connection refused") ? true : undefined,
    );
    assert.deepEqual([0, 1, 2, 3].map(port), [8080, 8080, refusingPort, refusingPort]);
    socket.terminate();
    await noSessions();
  });
});

describe("what is refused", () => {
  const spdy = { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": v4 };

  async function refusal(url: string, headers: Record<string, string>, method = "POST"): Promise<UpgradeRefused> {
    const error = await upgrade(url, headers, { method }).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    assert.ok(error instanceof UpgradeRefused);
    return error;
  }

  test("a token serves once, only its verb, and only for its time", async () => {
    const url = await server.execUrl(execRequest("exit 0"));
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{16}$/);
    assert.equal((await refusal(url.replace("/exec/", "/attach/"), spdy)).status, 404);
    const client = await connectSpdy(url, v4);
    client.transport.destroy();
    assert.equal((await refusal(url, spdy)).status, 404);
    await server.close();
    await start({ tokenTtlMs: 20 });
    const late = await server.execUrl(execRequest("exit 0"));
    await delay(40);
    assert.equal((await refusal(late, spdy)).status, 404);
    assert.deepEqual(await server.stats(), { pending: 0, sessions: 0 });
  });

  test("wrong methods and requests that ask for no upgrade are told so", async () => {
    const url = await server.execUrl(execRequest("exit 0"));
    const wrongMethod = await refusal(url, spdy, "PUT");
    assert.equal(wrongMethod.status, 405);
    assert.equal(wrongMethod.headers.allow, "GET, POST");
    assert.equal((await refusal(url, { Upgrade: "h2c" })).status, 400);
    const plain = await fetch(url);
    assert.equal(plain.status, 400);
    assert.match(await plain.text(), /must ask for an upgrade/);
    assert.equal((await fetch(new URL("/nothing", url))).status, 404);
    assert.equal((await refusal(url, { Upgrade: "SPDY/3.1" })).status, 400);
  });

  test("a protocol that is not known is answered with those that are, and the URL stays good", async () => {
    const url = await server.execUrl(execRequest("exit 0"));
    const refused = await refusal(url, { ...spdy, "X-Stream-Protocol-Version": "v9.channel.k8s.io" });
    assert.equal(refused.status, 403);
    assert.match(refused.body, /v4\.channel\.k8s\.io/);
    assert.match(String(refused.headers["x-accepted-stream-protocol-versions"]), /v4\.channel\.k8s\.io/);
    const webSocket = {
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
      "Sec-WebSocket-Protocol": "v9.channel.k8s.io",
    };
    assert.match((await refusal(url, webSocket, "GET")).body, /v5\.channel\.k8s\.io/);
    const client = await connectSpdy(url, `v9.channel.k8s.io, ${v4}`);
    assert.equal(client.protocol, v4);
    client.transport.destroy();
  });

  test("requests that the CRI forbids, and too many at once", async () => {
    await assert.rejects(server.execUrl(execRequest("x", { containerId: "" })), { kind: "invalid-argument" });
    await assert.rejects(server.execUrl(execRequest("x", { tty: true, stderr: true })), { kind: "invalid-argument" });
    await assert.rejects(server.attachUrl(execRequest("x", { stdout: false })), { kind: "invalid-argument" });
    await assert.rejects(server.portForwardUrl({ sandboxId: "p", ports: [0] }), { kind: "invalid-argument" });
    await server.close();
    await assert.rejects(server.execUrl(execRequest("x")), { kind: "unavailable" });
    await start({ maxPending: 2 });
    await server.execUrl(execRequest("x"));
    await server.execUrl(execRequest("x"));
    await assert.rejects(server.execUrl(execRequest("x")), { kind: "resource-exhausted" });
  });
});

describe("in a worker thread", () => {
  const module = { url: import.meta.resolve("../support/streaming-backend.ts"), config: "configured" };

  test("serves sessions there, with a backend that asks this thread", async () => {
    const worker = startStreamingWorker(
      {},
      module,
      async (method, payload) => `${method} ${String(payload)}`,
      silentLogger,
    );
    await worker.listen();
    try {
      const request = execRequest("ask you");
      const { client, stream } = await execOverSpdy(await worker.execUrl(request), request);
      assert.equal(await text(stream("stdout")), "configured: greet you");
      client.transport.destroy();
      await assert.rejects(worker.execUrl(execRequest("x", { containerId: "" })), { kind: "invalid-argument" });
    } finally {
      await worker.close();
    }
  });

  test("a worker that dies is replaced on the same port", async () => {
    const worker = startStreamingWorker({}, module, async () => undefined, silentLogger);
    const { port } = await worker.listen();
    try {
      const request = execRequest("crash");
      const { client } = await execOverSpdy(await worker.execUrl(request), request);
      await client.closed;
      const again = execRequest("exit 0");
      const url = await eventually("there is a new worker", () => worker.execUrl(again).catch(() => undefined));
      assert.equal(new URL(url).port, String(port));
      const { client: other, stream } = await execOverSpdy(url, again);
      assert.equal(await text(stream("stdout")), "to stdout");
      other.transport.destroy();
    } finally {
      await worker.close();
    }
  });

  test("tells why it cannot start", async () => {
    const worker = startStreamingWorker({ address: "192.0.2.1" }, module, async () => undefined, silentLogger);
    await assert.rejects(worker.listen(), { kind: "unavailable", message: /192\.0\.2\.1/ });
    await worker.close();
  });
});
