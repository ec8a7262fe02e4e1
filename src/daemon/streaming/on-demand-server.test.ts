import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import type { StreamingServer } from "#streaming/server.ts";
import { OnDemandServer } from "./on-demand-server.ts";

const request = { sandboxId: "p", ports: [] };

/** A server that counts its lives. */
function fakeServers() {
  const lives: string[] = [];
  const state = { sessions: 0, listening: 0, failure: undefined as Error | undefined };
  const create = (): StreamingServer => {
    const url = async (): Promise<string> => "url";
    return {
      async listen() {
        if (state.failure !== undefined) throw state.failure;
        assert.equal(state.listening, 0, "the port is free");
        state.listening += 1;
        lives.push("started");
        return { host: "127.0.0.1", port: 1 };
      },
      execUrl: url,
      attachUrl: url,
      portForwardUrl: url,
      reloadTls: async () => void lives.push("reloaded"),
      stats: async () => ({ pending: 0, sessions: state.sessions }),
      async close() {
        await Promise.resolve();
        state.listening -= 1;
        lives.push("closed");
      },
    };
  };
  return { lives, state, create };
}

/** Longer than the servers here may be idle. */
const idle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a streaming server on demand", () => {
  it("is started once, for the first URLs, and again after an idle time", async (test) => {
    test.mock.timers.enable({ apis: ["setInterval"] });
    const { lives, create } = fakeServers();
    const server = new OnDemandServer(create, 1, silentLogger);
    await server.reloadTls();
    assert.deepEqual(lives, []);
    await Promise.all([server.portForwardUrl(request), server.portForwardUrl(request)]);
    assert.deepEqual(lives, ["started"]);
    await idle();
    test.mock.timers.tick(1);
    await settle();
    assert.deepEqual(lives, ["started", "closed"]);
    assert.equal(await server.portForwardUrl(request), "url");
    assert.deepEqual(lives, ["started", "closed", "started"]);
    await server.close();
  });

  it("is kept while there are sessions", async (test) => {
    test.mock.timers.enable({ apis: ["setInterval"] });
    const { lives, state, create } = fakeServers();
    const server = new OnDemandServer(create, 1, silentLogger);
    await server.portForwardUrl(request);
    state.sessions = 1;
    await idle();
    test.mock.timers.tick(1);
    await settle();
    assert.deepEqual(lives, ["started"]);
    await server.close();
    assert.deepEqual(lives, ["started", "closed"]);
  });

  it("is tried again after it could not be started", async () => {
    const { lives, state, create } = fakeServers();
    const server = new OnDemandServer(create, 1000, silentLogger);
    state.failure = new Error("address in use");
    await assert.rejects(server.portForwardUrl(request), /address in use/);
    state.failure = undefined;
    await server.portForwardUrl(request);
    await server.close();
    assert.deepEqual(lives, ["started", "closed"]);
  });

  it("makes no URL once it is closed", async () => {
    const { state, create } = fakeServers();
    const server = new OnDemandServer(create, 1000, silentLogger);
    await server.portForwardUrl(request);
    const closing = server.close();
    await assert.rejects(server.portForwardUrl(request), { kind: "unavailable" });
    await closing;
    assert.equal(state.listening, 0);
  });

  it("that is closed while it starts is closed once it has, and is not looked at any more", async (test) => {
    test.mock.timers.enable({ apis: ["setInterval"] });
    const { lives, state, create } = fakeServers();
    let looks = 0;
    const counting = (): StreamingServer => {
      const server = create();
      return { ...server, stats: () => ((looks += 1), server.stats()) };
    };
    const server = new OnDemandServer(counting, 1, silentLogger);
    const url = server.portForwardUrl(request);
    await Promise.all([server.close(), url]);
    assert.deepEqual(lives, ["started", "closed"]);
    test.mock.timers.tick(10);
    assert.deepEqual([looks, state.listening], [0, 0]);
  });

  it("that ends because it was idle is waited for by who closes it", async (test) => {
    test.mock.timers.enable({ apis: ["setInterval"] });
    const { lives, create } = fakeServers();
    const end = Promise.withResolvers<void>();
    const ending = Promise.withResolvers<void>();
    const slow = (): StreamingServer => {
      const server = create();
      return {
        ...server,
        async close() {
          ending.resolve();
          await end.promise;
          await server.close();
        },
      };
    };
    const server = new OnDemandServer(slow, 1, silentLogger);
    await server.portForwardUrl(request);
    await idle();
    test.mock.timers.tick(1);
    await ending.promise;
    const closed = server.close();
    end.resolve();
    await closed;
    assert.deepEqual(lives, ["started", "closed"]);
  });
});
