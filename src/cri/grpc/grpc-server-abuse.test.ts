import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { describe, it } from "node:test";
import type { ServeCall } from "./grpc-server.ts";
import { framed, open, outcomeOf, serveGrpc, type GrpcForTests } from "./server-for-tests.ts";

const echo: ServeCall = (request, call) => call.answer(framed(request.toString("utf8")));

/** Another client's call is answered as if nothing were. */
async function assertServes(server: GrpcForTests): Promise<void> {
  const stream = open(server.connect(), "Echo");
  stream.end(framed("still there"));
  assert.deepEqual((await outcomeOf(stream)).messages, ["still there"]);
}

describe("a client that", () => {
  it("opens and resets calls without end is cut off", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    await once(session, "connect");
    const cutOff = new Promise((resolve) => session.once("close", resolve));
    for (let count = 0; count < 20_000 && !session.destroyed; count += 1) {
      const stream = open(session, "Echo");
      stream.write(framed(""));
      stream.close(constants.NGHTTP2_CANCEL);
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await cutOff;
    await assertServes(server);
  });

  it("sends headers without end is refused", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`x-${index}`, "x".repeat(20)]));
    const stream = open(session, "Echo", many);
    stream.end(framed("a"));
    assert.equal((await outcomeOf(stream)).status, undefined);
    await assertServes(server);
  });

  it("sends what is no HTTP/2 behind the preface is cut off", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const socket = connectSocket(server.socketPath);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Buffer.alloc(1000, 0xff));
    socket.resume();
    await once(socket, "close");
    await assertServes(server);
  });

  it("goes in the middle of the preface or of a frame harms nobody", async () => {
    await using server = await serveGrpc({ Echo: echo });
    for (const bytes of ["PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"]) {
      const socket = connectSocket(server.socketPath);
      await new Promise((resolve) => socket.write(bytes, resolve));
      socket.destroy();
      await once(socket, "close");
    }
    await assertServes(server);
  });

  it("pings gets its answer", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    await once(session, "connect");
    const payload = Buffer.from("12345678");
    const answer = await new Promise((resolve, reject) =>
      session.ping(payload, (error, _durationMs, echoed) => (error === null ? resolve(echoed) : reject(error))),
    );
    assert.deepEqual(answer, payload);
  });
});
