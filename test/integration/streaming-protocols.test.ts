import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { connectSpdy, upgrade, UpgradeRefused } from "../support/spdy-client.ts";
import { pattern } from "../support/streaming-backend.ts";
import {
  execOverSpdy,
  execRequest,
  mebibyte,
  sha256,
  sha256OfPattern,
  StreamingFixture,
  v4,
} from "../support/streaming-fixture.ts";

const streaming = new StreamingFixture();
beforeEach(() => streaming.start());
afterEach(() => streaming.server.close());

describe("exec over SPDY", () => {
  test("copies stdin to stdout until the client half-closes, then reports success and goes away", async () => {
    const { client, stream } = await streaming.exec("cat", { stdin: true });
    assert.equal(client.protocol, v4);
    stream("stdin").end("hello");
    assert.equal(await text(stream("stdout")), "hello");
    assert.deepEqual(JSON.parse(await text(stream("error"))), { metadata: {}, status: "Success" });
    await eventually("GOAWAY arrived", () => client.goAways[0] === 0 || undefined);
    client.transport.end();
    await client.closed;
    await streaming.idle();
  });

  test("reports an exit code in the details of a v4 status after all output", async () => {
    const { client, stream } = await streaming.exec("exit 42", { stderr: true });
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
      const failed = await streaming.exec("exit 3", {}, protocol);
      assert.match(await text(failed.stream("error")), /non-zero exit code: exit status 3/);
      const succeeded = await streaming.exec("exit 0", {}, protocol);
      assert.equal(await text(succeeded.stream("error")), "");
      for (const { client } of [failed, succeeded]) client.transport.destroy();
    });
  }

  test("reports what the backend throws as an internal error", async () => {
    const { client, stream } = await streaming.exec("fail");
    const status = JSON.parse(await text(stream("error")));
    assert.equal(status.reason, "InternalError");
    assert.match(status.message, /error executing command in container: container c1 has no such command/);
    client.transport.destroy();
  });

  test("hands over terminal sizes", async () => {
    const { client, stream } = await streaming.exec("sizes", { tty: true });
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
    const { client, stream } = await execOverSpdy(await streaming.server.attachUrl(request), request);
    stream("stdin").end("input");
    assert.equal(await text(stream("stdout")), "attached input");
    assert.equal(JSON.parse(await text(stream("error"))).status, "Success");
    client.transport.destroy();
  });

  test("carries 50 MiB intact in each direction", async () => {
    const up = await streaming.exec("hash", { stdin: true });
    const [, answer] = await Promise.all([
      pipeline(Readable.from(pattern(50)), up.stream("stdin")),
      text(up.stream("stdout")),
    ]);
    assert.equal(answer, sha256OfPattern(50));
    const down = await streaming.exec("pour 50");
    assert.equal(await sha256(down.stream("stdout")), sha256OfPattern(50));
    for (const { client } of [up, down]) client.transport.destroy();
  });

  test("answers PING while streams are open", async () => {
    const { client } = await streaming.exec("hang");
    await client.ping(7);
    client.transport.destroy();
  });

  test("takes the status to a client that is still sending input", async () => {
    const { client, stream } = await streaming.exec("first", { stdin: true });
    const stdin = stream("stdin");
    const sending = pipeline(Readable.from(pattern(20)), stdin).catch(() => {});
    assert.equal(await text(stream("stdout")), "T");
    assert.equal(JSON.parse(await text(stream("error"))).status, "Success");
    client.transport.destroy();
    await sending;
    await streaming.idle();
  });

  test("refuses a stream of unknown type and serves the others", async () => {
    const client = await connectSpdy(await streaming.server.execUrl(execRequest("exit 0")), v4);
    await assert.rejects(client.openStream({ streamtype: "nonsense" }), /refused/);
    const error = await client.openStream({ streamtype: "error" });
    await client.openStream({ streamtype: "stdout" });
    assert.equal(JSON.parse(await text(error)).status, "Success");
    client.transport.destroy();
  });

  test("gives up on a client that does not open its streams", async () => {
    await streaming.start({ streamCreationTimeoutMs: 50 });
    const client = await connectSpdy(await streaming.server.execUrl(execRequest("cat", { stdin: true })), v4);
    const error = await client.openStream({ streamtype: "error" });
    assert.match(JSON.parse(await text(error)).message, /opened no stdin, stdout stream in 50 ms/);
    client.transport.destroy();
    await streaming.idle();
    assert.equal(streaming.backend.abortReasons.length, 0);
  });

  test("ends the connection of a client that breaks the protocol", async () => {
    const { client } = await streaming.exec("hang");
    client.sendControl(1, 0, Buffer.alloc(20, 0xff));
    await client.closed;
    assert.deepEqual(client.goAways, [1]);
    await streaming.idle();
    assert.match(streaming.backend.abortReasons[0] ?? "", /header block/);
  });
});

describe("exec over WebSocket", () => {
  interface Messages {
    readonly socket: WebSocket;
    readonly closed: Promise<number>;
    readonly received: (channel: number) => string;
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
      await streaming.server.execUrl(execRequest("cat", { stdin: true })),
      "v5.channel.k8s.io",
    );
    socket.send(Buffer.from("\0hello "));
    socket.send(Buffer.from("\0wo"), { fin: false });
    socket.send(Buffer.from("rld"), { fin: true });
    socket.send(Buffer.from([255, 0]));
    assert.equal(await closed, 1000);
    assert.equal(received(1), "hello world");
    assert.equal(JSON.parse(received(3)).status, "Success");
    await streaming.idle();
  });

  for (const protocol of ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"]) {
    test(`${protocol} reports the exit code in JSON`, async () => {
      const { closed, received } = await open(
        await streaming.server.execUrl(execRequest("exit 9", { stderr: true })),
        protocol,
      );
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
      const { closed, received } = await open(await streaming.server.execUrl(execRequest("exit 9")), protocol);
      assert.equal(await closed, 1000);
      assert.equal(received(1), "to stdout");
      assert.match(received(3), /exit status 9$/);
    });
  }

  test("base64 input is decoded, and what is not base64 ends the connection", async () => {
    const url = await streaming.server.execUrl(execRequest("first", { stdin: true }));
    const { socket, closed, received } = await open(url, "v4.base64.channel.k8s.io");
    socket.send(`0${Buffer.from("Xyz").toString("base64")}`);
    assert.equal(await closed, 1000);
    assert.equal(received(1), "X");
    const bad = await open(
      await streaming.server.execUrl(execRequest("cat", { stdin: true })),
      "base64.channel.k8s.io",
    );
    bad.socket.send("0***");
    assert.equal(await bad.closed, 1007);
  });

  test("hands over terminal sizes from channel 4", async () => {
    const url = await streaming.server.execUrl(execRequest("sizes", { tty: true }));
    const { socket, closed, received } = await open(url, "v5.channel.k8s.io");
    socket.send(Buffer.from('\x04{"Width":132,"Height":43}'));
    await eventually("the size came back", () => received(1) === "132x43 " || undefined);
    socket.send(Buffer.from([255, 4]));
    assert.equal(await closed, 1000);
  });

  test("carries 50 MiB intact in each direction", async () => {
    const up = await open(await streaming.server.execUrl(execRequest("hash", { stdin: true })), "v5.channel.k8s.io");
    for (const block of pattern(50)) {
      const sent = Promise.withResolvers<void>();
      up.socket.send(Buffer.concat([Buffer.of(0), block]), () => sent.resolve());
      await sent.promise;
    }
    up.socket.send(Buffer.from([255, 0]));
    assert.equal(await up.closed, 1000);
    assert.equal(up.received(1), sha256OfPattern(50));
    const hash = createHash("sha256");
    const socket = new WebSocket((await streaming.server.execUrl(execRequest("pour 50"))).replace("http", "ws"), v4);
    socket.on("message", (data: Buffer) => data[0] === 1 && hash.update(data.subarray(1)));
    await once(socket, "close");
    assert.equal(hash.digest("hex"), sha256OfPattern(50));
  });

  test("refuses messages above the limit", async () => {
    const { socket, closed } = await open(await streaming.server.execUrl(execRequest("cat", { stdin: true })), v4);
    socket.send(Buffer.alloc(2 * mebibyte));
    assert.equal(await closed, 1009);
    await streaming.idle();
    assert.equal(streaming.backend.abortReasons.length, 1);
  });

  test("answers ping", async () => {
    const { socket } = await open(await streaming.server.execUrl(execRequest("hang")), v4);
    socket.ping("are you there");
    const [data]: unknown[] = await once(socket, "pong");
    assert.equal(String(data), "are you there");
    socket.terminate();
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
    const url = await streaming.server.execUrl(execRequest("exit 0"));
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{16}$/);
    assert.equal((await refusal(url.replace("/exec/", "/attach/"), spdy)).status, 404);
    const client = await connectSpdy(url, v4);
    client.transport.destroy();
    assert.equal((await refusal(url, spdy)).status, 404);
    await streaming.start({ tokenTtlMs: 20 });
    const late = await streaming.server.execUrl(execRequest("exit 0"));
    await delay(40);
    assert.equal((await refusal(late, spdy)).status, 404);
    assert.deepEqual(await streaming.server.stats(), { pending: 0, sessions: 0 });
  });

  test("wrong methods and requests that ask for no upgrade are told so", async () => {
    const url = await streaming.server.execUrl(execRequest("exit 0"));
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
    const url = await streaming.server.execUrl(execRequest("exit 0"));
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
    await assert.rejects(streaming.server.execUrl(execRequest("x", { containerId: "" })), { kind: "invalid-argument" });
    await assert.rejects(streaming.server.execUrl(execRequest("x", { tty: true, stderr: true })), {
      kind: "invalid-argument",
    });
    await assert.rejects(streaming.server.attachUrl(execRequest("x", { stdout: false })), { kind: "invalid-argument" });
    await assert.rejects(streaming.server.portForwardUrl({ sandboxId: "p", ports: [0] }), { kind: "invalid-argument" });
    await streaming.server.close();
    await assert.rejects(streaming.server.execUrl(execRequest("x")), { kind: "unavailable" });
    await streaming.start({ maxPending: 2 });
    await streaming.server.execUrl(execRequest("x"));
    await streaming.server.execUrl(execRequest("x"));
    await assert.rejects(streaming.server.execUrl(execRequest("x")), { kind: "resource-exhausted" });
  });
});
