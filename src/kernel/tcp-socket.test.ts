import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { closeSync } from "node:fs";
import { DescriptorPoll } from "./descriptor-poll.ts";
import { connectError, connectToLoopback, tcpSocket } from "./tcp-socket.ts";

/** Connects and waits for the outcome. */
async function connect(fd: number, port: number): Promise<unknown> {
  if (connectToLoopback(fd, 4, port)) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const poll = new DescriptorPoll(fd, resolve);
  poll.want({ readable: false, writable: true });
  await promise;
  poll.close();
  return connectError(fd, 4, port);
}

describe("a TCP socket made by hand", () => {
  it("connects to the loopback address and is a socket of Node's from then on", async () => {
    const server = createServer((socket) => socket.end("hello"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const fd = tcpSocket(4);
    assert.equal(await connect(fd, address.port), undefined);
    assert.equal(await text(new Socket({ fd })), "hello");
    server.close();
  });

  it("tells why it could not be connected", async () => {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    server.close();
    await once(server, "close");
    const fd = tcpSocket(4);
    const failure = await connect(fd, address.port).catch((error: unknown) => error);
    assert.match(String(failure), new RegExp(`ECONNREFUSED.*127\\.0\\.0\\.1:${address.port}`));
    closeSync(fd);
  });
});
