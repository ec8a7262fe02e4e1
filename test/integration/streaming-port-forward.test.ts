import assert from "node:assert/strict";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, test } from "node:test";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { type ClientStream, connectSpdy, SpdyClient } from "../support/spdy-client.ts";
import { breakingPort, hangingPort, refusingPort } from "../support/streaming-backend.ts";
import { mebibyte, StreamingFixture, v4 } from "../support/streaming-fixture.ts";
import { connectTunnel } from "../support/websocket-tunnel.ts";

const streaming = new StreamingFixture();
beforeEach(() => streaming.start());
afterEach(() => streaming.server.close());

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
    return connectSpdy(await streaming.server.portForwardUrl({ sandboxId: "p1", ports: [] }), "portforward.k8s.io");
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
    await streaming.idle();
    assert.equal(streaming.backend.abortReasons.length, 0);
  });

  test("a reset of one connection leaves the others alive", async () => {
    const client = await connect();
    const doomed = await openPair(client, hangingPort, "doomed");
    const other = await openPair(client, 8000, "other");
    await eventually("both run", () => streaming.backend.running === 2 || undefined);
    doomed.data.destroy();
    assert.equal(await text(doomed.error), "");
    await eventually("one is aborted", () => streaming.backend.running === 1 || undefined);
    assert.match(streaming.backend.abortReasons[0] ?? "", /client reset stream/);
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
    await streaming.start({ streamCreationTimeoutMs: 50 });
    const client = await connect();
    const error = await client.openStream({ streamtype: "error", port: "80", requestid: "1" });
    assert.match(await text(error), /no data stream for request 1 in 50 ms/);
    client.transport.destroy();
  });
});

describe("port-forward over WebSocket", () => {
  test("tunnels SPDY in binary messages", async () => {
    const url = await streaming.server.portForwardUrl({ sandboxId: "p1", ports: [] });
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
    await streaming.idle();
  });

  test("starts both channels of each port with the port, then carries data and errors", async () => {
    const url = await streaming.server.portForwardUrl({ sandboxId: "p1", ports: [8080, refusingPort] });
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
    await streaming.idle();
  });
});
