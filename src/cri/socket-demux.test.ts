import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { demultiplex } from "./socket-demux.ts";

/** Sends `parts`, each as a packet of its own, and tells who got the connection and what it could read first. */
async function sent(...parts: string[]): Promise<{ protocol: string; first: string }> {
  const { promise, resolve } = Promise.withResolvers<{ protocol: string; first: string }>();
  const takenBy = (protocol: string) => (socket: Socket) =>
    void socket.once("data", (bytes) => resolve({ protocol, first: bytes.toString("latin1") }));
  const listener = createServer((socket) => demultiplex(socket, { http2: takenBy("http2"), http1: takenBy("http1") }));
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1").setNoDelay();
  for (const part of parts) await new Promise((done) => client.write(part, "latin1", done));
  try {
    return await promise;
  } finally {
    client.destroy();
    listener.close();
  }
}

describe("a connection to the CRI socket", () => {
  it("goes to HTTP/2 when it begins with its preface, and all is left to read", async () => {
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert.deepEqual(await sent(preface), { protocol: "http2", first: preface });
  });

  it("goes to HTTP/2 when only the beginning of the preface has come yet", async () => {
    const { protocol, first } = await sent("PRI");
    assert.equal(protocol, "http2");
    assert.equal(first, "PRI");
  });

  it("goes to HTTP/1 when it begins with anything else, even a method that begins alike", async () => {
    const get = "GET /info HTTP/1.1\r\nhost: crio\r\n\r\n";
    assert.deepEqual(await sent(get), { protocol: "http1", first: get });
    assert.equal((await sent("PROPFIND / HTTP/1.1\r\n")).protocol, "http1");
  });

  it("goes to nobody when it ends before it has begun", async () => {
    const fail = (): never => assert.fail("nothing was said");
    const listener = createServer({ allowHalfOpen: true }, (socket) =>
      demultiplex(socket, { http2: fail, http1: fail }),
    );
    await once(listener.listen(0, "127.0.0.1"), "listening");
    const accepted = once(listener, "connection");
    connect((listener.address() as AddressInfo).port, "127.0.0.1").end();
    const [socket] = (await accepted) as [Socket];
    await once(socket, "close");
    listener.close();
  });
});
