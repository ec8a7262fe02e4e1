import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { describe, it } from "node:test";
import type { Carriers } from "#drivers/streams/index.ts";
import { portForward } from "./port-forward.ts";
import type { Ask } from "./questions.ts";

const timeout = 10_000;
const quietMs = 30;

describe("a forwarded connection whose server has ended", () => {
  it("is over when the client, who may be waiting for that, sends nothing more", { timeout }, async () => {
    await using server = await serving((socket) => void socket.end("bye"));
    const { client, over } = forwarding(server.port);
    let answer = "";
    client.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    await over;
    assert.equal(answer, "bye");
  });

  it("goes on while the server has not taken what the client sends", { timeout }, async () => {
    const bytes = 16 << 20;
    const received = Promise.withResolvers<number>();
    await using server = await serving((socket) => {
      socket.end();
      let count = 0;
      socket.on("data", (chunk) => (count += chunk.length));
      socket.on("close", () => received.resolve(count));
      socket.pause();
      setTimeout(() => socket.resume(), 5 * quietMs);
    });
    const { client, over } = forwarding(server.port);
    client.resume();
    client.end(Buffer.alloc(bytes));
    assert.equal(await received.promise, bytes);
    await over;
  });
});

/** A client's end of a connection, and when forwarding it has come to its end. */
function forwarding(port: number): { client: Duplex; over: Promise<void> } {
  const [client, stream] = duplexPair();
  const unwanted = (): never => assert.fail("not of a forwarded connection");
  const carriers: Carriers = {
    pipeSource: unwanted,
    pipeSink: unwanted,
    close: unwanted,
    terminal: unwanted,
    attach: unwanted,
    async connect() {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
  };
  // The connection is made by the carriers above: the descriptor is none.
  const ask = (() => Promise.resolve(-1)) as Ask;
  const { signal } = new AbortController();
  const request = { sandboxId: "p", ports: [] };
  return { client, over: portForward(carriers, ask, request, port, stream, signal, quietMs) };
}

async function serving(serve: (socket: Socket) => void): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ allowHalfOpen: true }, serve);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}
