import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { ContainerExits } from "./container-exits.ts";
import type { Container } from "./container.ts";

const container = { id: "c", sandboxId: "s", runtimeHandler: "runc" } as Container;

/** An exits of a daemon that has not seen the container end; `done` is what was freed. */
function laterDaemon(runtimeOf: () => { delete: (id: string) => Promise<void> }) {
  const done: string[] = [];
  const note = (what: string) => async (id: string) => void done.push(`${what} ${id}`);
  const drivers = {
    monitor: { onExit: () => () => {} },
    runtimes: { get: runtimeOf },
    storage: { unmountRootfs: note("unmount") },
    cgroups: { removeMonitorGroup: async (parent: string, id: string) => void done.push(`group ${parent} ${id}`) },
    sandboxes: { index: { current: () => ({ cgroupParent: "/pods" }) } },
    logger: silentLogger,
  } as unknown as ContainerDrivers;
  return { exits: new ContainerExits(drivers), done, deleting: { delete: note("delete") } };
}

describe("a container whose process nobody may watch", () => {
  const watched = { ...container, process: { pid: 1, startTime: "1" } };
  const logged: string[] = [];
  const exits = new ContainerExits({
    monitor: { onExit: () => () => {} },
    processes: {
      watch() {
        throw new Error("pidfds are forbidden");
      },
    },
    logger: { ...silentLogger, error: (message: string) => logged.push(message) },
  } as unknown as ContainerDrivers);

  it("is not started, and goes on where it is there already", () => {
    assert.throws(() => exits.watch(watched), /pidfds are forbidden/);
    assert.deepEqual(logged, []);
    exits.watchIfPossible(watched);
    assert.deepEqual(logged, ["the process of a container cannot be watched: its monitor alone tells of its end"]);
  });
});

describe("what an ended container held", () => {
  it("is freed also by a daemon that has not seen it end", async () => {
    const { exits, done, deleting } = laterDaemon(() => deleting);
    await exits.cleaned(container);
    assert.deepEqual(done, ["delete c", "unmount c", "group /pods c"]);
  });

  it("is freed but for what the runtime has, when its handler is not configured any more", async () => {
    const { exits, done } = laterDaemon(() => {
      throw new Error('no runtime handler "runc" is configured');
    });
    await exits.cleaned(container);
    assert.deepEqual(done, ["unmount c", "group /pods c"]);
  });

  it("is no secret when it cannot be freed", async () => {
    const failing = { delete: () => Promise.reject(new Error("the runtime is stuck")) };
    const { exits, done } = laterDaemon(() => failing);
    await assert.rejects(exits.cleaned(container), /the runtime is stuck/);
    assert.deepEqual(done, []);
  });
});
