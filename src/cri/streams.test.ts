import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { describe, it } from "node:test";
import type { ContainerEvent } from "#domain/runtime.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { DomainError } from "#errors/domain-error.ts";
import { LayerState, Progress } from "./gen/berth/v1/progress_pb.ts";
import { ContainerEventType, RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { framed, open, outcomeOf } from "./grpc/server-for-tests.ts";
import { statusCodes } from "./grpc/status-codes.ts";
import { methodPath } from "./method-path.ts";
import { serve } from "./server-for-tests.ts";

const { method: runtimeRpc } = RuntimeService;

/** Yields `first`, then waits for the signal; `ended` resolves when it has. */
function endless<T>(first: T): { subscribe(signal: AbortSignal): AsyncGenerator<T>; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  return {
    ended: ended.promise,
    async *subscribe(signal) {
      yield first;
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
      ended.resolve();
    },
  };
}

const event: ContainerEvent = {
  containerId: "c",
  type: "started",
  createdAtNs: "1",
  sandbox: exampleSandbox(),
  containers: [],
};

describe("a stream", () => {
  it("of events tells the domain when the client hangs up", async () => {
    const events = endless(event);
    await using cri = await serve({ events });
    for await (const one of cri.client.stream(runtimeRpc.getContainerEvents, {}, { timeoutMs: 0 })) {
      assert.equal(one.containerEventType, ContainerEventType.CONTAINER_STARTED_EVENT);
      break;
    }
    await events.ended;
  });

  it("of a pull has one message for each layer", async () => {
    await using cri = await serve({
      images: {
        async *watchPull(image) {
          assert.equal(image, "busybox");
          yield [
            { digest: "sha256:a", doneBytes: 0, totalBytes: 10, state: "waiting" },
            { digest: "sha256:b", doneBytes: 5, totalBytes: 5, state: "present" },
          ];
          yield [{ digest: "sha256:a", doneBytes: 10, totalBytes: 10, state: "done" }];
        },
      },
    });
    const messages = await Array.fromAsync(cri.client.stream(Progress.method.watchPull, { image: "busybox" }));
    assert.deepEqual(
      messages.map(({ layer, doneBytes, state }) => [layer, doneBytes, state]),
      [
        ["sha256:a", 0n, LayerState.WAITING],
        ["sha256:b", 5n, LayerState.EXISTS],
        ["sha256:a", 10n, LayerState.DONE],
      ],
    );
  });

  it("that fails midway ends with the failure's code", async () => {
    await using cri = await serve({
      events: {
        async *subscribe() {
          yield event;
          throw new DomainError("resource-exhausted", "too slow");
        },
      },
    });
    const received: string[] = [];
    const read = async (): Promise<void> => {
      for await (const one of cri.client.stream(runtimeRpc.getContainerEvents, {})) received.push(one.containerId);
    };
    await assert.rejects(read(), { codeName: "RESOURCE_EXHAUSTED", details: "too slow" });
    assert.deepEqual(received, ["c"]);
  });
});

describe("closing the server", () => {
  it("lets a call under way finish, ends streams and removes the socket", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const events = endless(event);
    await using cri = await serve({
      events,
      containers: {
        async start() {
          started.resolve();
          await finish.promise;
        },
      },
    });
    const call = cri.client.call(runtimeRpc.startContainer, { containerId: "c" });
    const stream = cri.client.stream(runtimeRpc.getContainerEvents, {}, { timeoutMs: 0 })[Symbol.asyncIterator]();
    await Promise.all([started.promise, stream.next()]);
    const closed = cri.server.close(10_000);
    await assert.rejects(stream.next(), { codeName: "UNAVAILABLE", details: "the daemon is shutting down" });
    await events.ended;
    finish.resolve();
    await call;
    await closed;
    assert.equal(statSync(cri.socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("ends a stream too whose request comes only then", async () => {
    await using cri = await serve({ events: endless(event) });
    const session = connect("http://localhost", { createConnection: () => connectSocket(cri.socketPath) });
    session.on("error", () => {});
    await once(session, "connect");
    const stream = open(session, "", { ":path": methodPath(runtimeRpc.getContainerEvents) });
    const outcome = outcomeOf(stream);
    // What is sent behind the stream's headers is answered behind them too.
    await new Promise((resolve) => session.ping(resolve));
    const closed = cri.server.close(2000);
    stream.end(framed(""));
    assert.equal((await outcome).status, String(statusCodes.UNAVAILABLE));
    await closed;
  });

  it("does not wait for a connection that has said nothing", async () => {
    await using cri = await serve({ node: { version: () => ({ name: "berth", version: "1" }) } });
    const silent = connectSocket(cri.socketPath);
    await once(silent, "connect");
    // Connections are accepted in order.
    await cri.client.call(runtimeRpc.version, {});
    await cri.server.close(1000);
    assert.doesNotMatch(cri.logLines.join(""), /cut off/);
    silent.destroy();
  });

  it("cuts off what runs beyond the grace", async () => {
    const started = Promise.withResolvers<void>();
    await using cri = await serve({
      containers: {
        start() {
          started.resolve();
          return new Promise(() => {});
        },
      },
    });
    const call = assert.rejects(cri.client.call(runtimeRpc.startContainer, { containerId: "c" }, { timeoutMs: 0 }));
    await started.promise;
    await cri.server.close(20);
    await call;
    assert.equal(statSync(cri.socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("leaves the path free for a successor", async () => {
    await using first = await serve({});
    await first.server.close(1000);
    const node = { version: () => ({ name: "second", version: "2" }) };
    await using second = await serve({ node }, { socketPath: first.socketPath });
    assert.equal((await second.client.call(runtimeRpc.version, {})).runtimeName, "second");
  });
});
