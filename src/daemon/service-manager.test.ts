import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import { serviceManager } from "./service-manager.ts";

function recorded(environment: NodeJS.ProcessEnv, isHealthy: () => Promise<boolean> = () => Promise.resolve(true)) {
  const sent: string[] = [];
  const manager = serviceManager(
    environment,
    isHealthy,
    silentLogger,
    (socket, state) => void sent.push(`${socket} ${state}`),
  );
  return { manager, sent };
}

/** Lets promises that are settled already run their continuations. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the service manager", () => {
  it("is told nothing when there is none", () => {
    const { manager, sent } = recorded({});
    manager.ready();
    manager.stopping();
    assert.deepEqual(sent, []);
  });

  it("is told when the daemon serves and when it ends", () => {
    const { manager, sent } = recorded({ NOTIFY_SOCKET: "/run/n" });
    manager.ready();
    manager.stopping();
    assert.deepEqual(sent, ["/run/n READY=1", "/run/n STOPPING=1"]);
  });

  it("is told twice in each watchdog interval that the daemon lives, as long as it answers itself", async () => {
    mock.timers.enable({ apis: ["setInterval"] });
    try {
      let healthy = true;
      const { manager, sent } = recorded({ NOTIFY_SOCKET: "n", WATCHDOG_USEC: "2000000" }, () =>
        healthy ? Promise.resolve(true) : Promise.reject(new Error("no answer")),
      );
      manager.ready();
      mock.timers.tick(1000);
      await settled();
      assert.deepEqual(sent, ["n READY=1", "n WATCHDOG=1"]);
      healthy = false;
      mock.timers.tick(1000);
      await settled();
      assert.equal(sent.length, 2);
      manager.stopping();
      mock.timers.tick(5000);
      await settled();
      assert.deepEqual(sent.slice(2), ["n STOPPING=1"]);
    } finally {
      mock.timers.reset();
    }
  });

  it("gets no heartbeat that is meant to be another process's", () => {
    mock.timers.enable({ apis: ["setInterval"] });
    try {
      const { manager, sent } = recorded({ NOTIFY_SOCKET: "n", WATCHDOG_USEC: "2000000", WATCHDOG_PID: "1" });
      manager.ready();
      mock.timers.tick(5000);
      assert.deepEqual(sent, ["n READY=1"]);
    } finally {
      mock.timers.reset();
    }
  });
});
