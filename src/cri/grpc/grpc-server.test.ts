import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { DomainError } from "#errors/domain-error.ts";
import type { ServeCall } from "./grpc-server.ts";
import type { ServerCall } from "./server-call.ts";
import { framed, maxReceiveBytes, open, outcomeOf, serveGrpc } from "./server-for-tests.ts";

const echo: ServeCall = (request, call) => call.answer(framed(request.toString("utf8")));

/** A method that never ends by itself; `begun` has its calls, in order. */
function waiting(): { serve: ServeCall; begun: AsyncIterator<ServerCall> } {
  const calls: ServerCall[] = [];
  let wake = (): void => {};
  const begun = (async function* () {
    for (;;) {
      const call = calls.shift();
      if (call !== undefined) yield call;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  })();
  return {
    begun,
    serve(_request, call) {
      calls.push(call);
      wake();
    },
  };
}

async function nextOf(begun: AsyncIterator<ServerCall>): Promise<ServerCall> {
  return (await begun.next()).value;
}

function compressed(bytes: Buffer): Buffer {
  const frame = framed(bytes.toString("latin1")).subarray(0, 5);
  frame[0] = 1;
  frame.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([frame, bytes]);
}

describe("a call over HTTP/2", () => {
  it("is answered with headers, one message and trailers", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const stream = open(server.connect(), "Echo");
    stream.end(framed("hello"));
    const { httpStatus, messages, status } = await outcomeOf(stream);
    assert.deepEqual([httpStatus, messages, status], [200, ["hello"], "0"]);
  });

  it("may have its request in as many frames as it has bytes", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const stream = open(server.connect(), "Echo");
    for (const byte of framed("hello")) await new Promise((done) => stream.write(Buffer.of(byte), done));
    stream.end();
    assert.deepEqual((await outcomeOf(stream)).messages, ["hello"]);
  });

  it("has one request: none, two, and half a one are refused", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    for (const [wire, status] of [
      [Buffer.alloc(0), "12"],
      [Buffer.concat([framed("a"), framed("b")]), "12"],
      [framed("abc").subarray(0, 6), "13"],
      [Buffer.from([7, 0, 0, 0, 0]), "13"],
    ] as const) {
      const stream = open(session, "Echo");
      stream.end(wire);
      assert.equal((await outcomeOf(stream)).status, status);
    }
  });

  it("with a request beyond the limit is refused before all of it has come", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const stream = open(server.connect(), "Echo");
    stream.write(framed("x".repeat(maxReceiveBytes + 1)).subarray(0, 5));
    const [headers] = await once(stream, "response");
    assert.equal(headers["grpc-status"], "8");
    stream.end();
  });

  it("may be compressed with gzip, up to the same limit", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    const ask = (text: string, encoding: string | undefined) => {
      const stream = open(session, "Echo", encoding === undefined ? {} : { "grpc-encoding": encoding });
      stream.end(compressed(gzipSync(text)));
      return outcomeOf(stream);
    };
    assert.deepEqual((await ask("hello", "gzip")).messages, ["hello"]);
    assert.equal((await ask("x".repeat(maxReceiveBytes + 1), "gzip")).status, "8");
    assert.equal((await ask("hello", undefined)).status, "13");
    assert.equal((await ask("hello", "deflate")).status, "13");
    const { status, acceptEncoding } = await ask("hello", "snappy");
    assert.deepEqual([status, acceptEncoding], ["12", "identity,gzip,deflate"]);
  });

  it("of a method that is not there is UNIMPLEMENTED, in headers alone", async () => {
    await using server = await serveGrpc({});
    const stream = open(server.connect(), "Gone");
    stream.end(framed(""));
    const outcome = await outcomeOf(stream);
    assert.deepEqual([outcome.httpStatus, outcome.status, outcome.details], [200, "12", "unknown method /t.T/Gone"]);
  });

  it("that is not gRPC has an HTTP status", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    for (const [headers, httpStatus] of [
      [{ ":method": "GET" }, 405],
      [{ "content-type": "application/json" }, 415],
      [{ "content-type": "application/grpcx" }, 415],
      [{ "content-type": "application/grpc+proto" }, 200],
    ] as const) {
      const stream = open(session, "Echo", headers);
      if (!stream.writableEnded) stream.end(framed("a"));
      assert.equal((await outcomeOf(stream)).httpStatus, httpStatus);
    }
  });

  it("whose client goes or gives up before its request is there is told once, and never served", async () => {
    const told: string[] = [];
    const both = Promise.withResolvers<void>();
    const onRefused = (path: string, { codeName }: { codeName: string }): void => {
      told.push(`${path} ${codeName}`);
      if (told.length === 2) both.resolve();
    };
    await using server = await serveGrpc({ Half: () => assert.fail("it was served") }, { onRefused });
    const session = server.connect();
    const late = open(session, "Half", { "grpc-timeout": "30m" });
    late.write(framed("half").subarray(0, 6));
    const [headers] = await once(late, "response");
    assert.equal(headers["grpc-status"], "4");
    late.end(framed("half").subarray(6));
    const gone = open(session, "Half");
    gone.write(framed("half").subarray(0, 6), () => gone.destroy(new Error("given up")));
    await both.promise;
    assert.deepEqual(told, ["/t.T/Half DEADLINE_EXCEEDED", "/t.T/Half CANCELLED"]);
  });

  it("with a malformed timeout is refused", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const stream = open(server.connect(), "Echo", { "grpc-timeout": "soon" });
    stream.end(framed("a"));
    assert.equal((await outcomeOf(stream)).status, "13");
  });

  it("may run beside many others on its connection", async () => {
    await using server = await serveGrpc({ Echo: echo });
    const session = server.connect();
    const texts = Array.from({ length: 500 }, (_, index) => `call ${index}`);
    const outcomes = await Promise.all(
      texts.map((text) => {
        const stream = open(session, "Echo");
        stream.end(framed(text));
        return outcomeOf(stream);
      }),
    );
    assert.deepEqual(
      outcomes.map(({ messages }) => messages[0]),
      texts,
    );
  });
});

describe("the end of a call", () => {
  it("is its deadline, which its signal tells", async () => {
    const { serve, begun } = waiting();
    await using server = await serveGrpc({ Wait: serve });
    const stream = open(server.connect(), "Wait", { "grpc-timeout": "20m" });
    stream.end(framed(""));
    const outcome = outcomeOf(stream);
    const call = await nextOf(begun);
    assert.ok(call.deadlineMs !== undefined && call.deadlineMs <= Date.now() + 20);
    if (!call.signal.aborted) await once(call.signal, "abort");
    assert.equal((await outcome).status, "4");
    assert.equal(call.clientHasGone, true);
    assert.equal(call.signal.reason.kind, "deadline-exceeded");
    call.answer(framed("too late"));
  });

  it("comes when the client resets it", async () => {
    const { serve, begun } = waiting();
    await using server = await serveGrpc({ Wait: serve });
    const stream = open(server.connect(), "Wait");
    stream.end(framed(""));
    const { signal } = await nextOf(begun);
    stream.close(constants.NGHTTP2_CANCEL);
    await once(signal, "abort");
    assert.equal(signal.reason.kind, "cancelled");
  });

  it("comes for all calls of a connection that breaks", async () => {
    const { serve, begun } = waiting();
    await using server = await serveGrpc({ Wait: serve });
    const session = server.connect();
    for (let count = 0; count < 3; count += 1) open(session, "Wait").end(framed(""));
    const calls = [await nextOf(begun), await nextOf(begun), await nextOf(begun)];
    const aborted = calls.map(({ signal }) => once(signal, "abort"));
    session.destroy();
    await Promise.all(aborted);
    assert.deepEqual(
      calls.map(({ clientHasGone }) => clientHasGone),
      [true, true, true],
    );
  });

  it("is told behind the messages that went before", async () => {
    await using server = await serveGrpc({
      Fail(_request, call) {
        call.write(framed("one"));
        call.fail({ codeName: "RESOURCE_EXHAUSTED", details: "zu groß" });
        call.fail({ codeName: "INTERNAL", details: "only the first counts" });
      },
    });
    const stream = open(server.connect(), "Fail");
    stream.end(framed(""));
    const { messages, status, details } = await outcomeOf(stream);
    assert.deepEqual([messages, status, details], [["one"], "8", "zu gro%C3%9F"]);
  });

  it("may come without a message", async () => {
    await using server = await serveGrpc({ Nothing: (_request, call) => call.end() });
    const stream = open(server.connect(), "Nothing");
    stream.end(framed(""));
    const { httpStatus, messages, status } = await outcomeOf(stream);
    assert.deepEqual([httpStatus, messages, status], [200, [], "0"]);
  });
});

describe("a stream to a client that does not read", () => {
  it("waits, and goes on when it reads", async () => {
    const chunk = framed("x".repeat(100_000));
    let written = 0;
    const stalled = Promise.withResolvers<void>();
    await using server = await serveGrpc({
      Many(_request, call) {
        void (async () => {
          for (; written < 100; written += 1) {
            if (call.write(chunk)) continue;
            stalled.resolve();
            await call.drained();
          }
          call.end();
        })();
      },
    });
    const stream = open(server.connect(), "Many");
    stream.end(framed(""));
    stream.pause();
    await stalled.promise;
    assert.ok(written < 10, `${written} messages are held back`);
    const { messages, status } = await outcomeOf(stream);
    assert.deepEqual([messages.length, status], [100, "0"]);
  });

  it("ends with the client's deadline, and with the client", async () => {
    const ended: string[] = [];
    const done = Promise.withResolvers<void>();
    await using server = await serveGrpc({
      Many(_request, call) {
        void (async () => {
          while (!call.signal.aborted) if (!call.write(framed("x".repeat(100_000)))) await call.drained();
          ended.push(call.signal.reason.kind);
          if (ended.length === 2) done.resolve();
        })();
      },
    });
    const session = server.connect();
    const late = open(session, "Many", { "grpc-timeout": "50m" });
    const gone = open(session, "Many");
    for (const stream of [late, gone]) stream.pause().end(framed(""));
    await once(gone, "response");
    gone.close(constants.NGHTTP2_CANCEL);
    await done.promise;
    assert.deepEqual(ended.toSorted(), ["cancelled", "deadline-exceeded"]);
  });
});

describe("closing", () => {
  it("lets calls under way finish, and takes no more", async () => {
    const { serve, begun } = waiting();
    await using server = await serveGrpc({ Wait: serve });
    const session = server.connect();
    const stream = open(session, "Wait");
    stream.end(framed(""));
    const outcome = outcomeOf(stream);
    const call = await nextOf(begun);
    server.grpc.close();
    await once(session, "goaway");
    const other = server.connect();
    await once(other, "close");
    call.answer(framed("done"));
    assert.deepEqual((await outcome).messages, ["done"]);
    if (!session.closed) await once(session, "close");
  });

  it("tells whoever works on a call when the server aborts it", async () => {
    const { serve, begun } = waiting();
    await using server = await serveGrpc({ Wait: serve });
    const stream = open(server.connect(), "Wait");
    stream.end(framed(""));
    const call = await nextOf(begun);
    call.abort(new DomainError("unavailable", "closing"));
    assert.equal(call.signal.reason.kind, "unavailable");
    assert.equal(call.clientHasGone, false);
  });
});
