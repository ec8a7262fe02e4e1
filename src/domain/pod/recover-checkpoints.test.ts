import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import type { RuntimeState } from "#drivers/oci-runtime/index.ts";
import { silentLogger } from "#observability/logger.ts";
import { recoverRestore } from "./recover-checkpoints.ts";
import { exampleContainer } from "./stats/stats-example.ts";

const monitorProcess = { pid: 7, startTime: "70" };
const restoredProcess = { pid: 8, startTime: "80" };

/** A daemon that starts, with one container that awaits its restore. */
function scene(given: { begun?: true; state?: RuntimeState; monitor?: typeof monitorProcess }) {
  const calls: string[] = [];
  const call =
    (name: string) =>
    async (...args: unknown[]): Promise<void> =>
      void calls.push([name, ...args.filter((one) => typeof one === "string")].join(" "));
  const store = new ContainerStore(noRecords());
  const restore = { parts: "p", checkpointedAtNs: "5", ...(given.begun === undefined ? {} : { begun: given.begun }) };
  const container = exampleContainer("c", { state: { kind: "created" }, restore, cgroupsPath: "/pod/c" });
  store.adopt(container);
  const parts = {
    store,
    runtimes: fakeRuntimes(fakeRuntime({ state: async () => given.state, delete: call("delete") })),
    processes: { identify: (pid: number) => (pid === restoredProcess.pid ? restoredProcess : undefined) },
    monitor: { find: async () => given.monitor, halt: call("halt"), forget: call("forget") },
    bundles: { path: () => "/bundle" },
    cgroups: { killAll: call("killAll"), removeMonitorGroup: call("removeMonitorGroup") },
    storage: { unmountRootfs: call("unmount") },
    checkpoints: { restores: { discard: call("discard") } },
    sandboxes: { index: { current: () => undefined } },
    logger: silentLogger,
  };
  const watched: Container[] = [];
  const recovered = async (): Promise<Container | undefined> => {
    await recoverRestore({ container: parts, exits: { watch: (one) => void watched.push(one) } }, container);
    return store.index.current("c");
  };
  return { recovered, calls, watched };
}

describe("a container that awaits its restore when the daemon starts", () => {
  it("waits on when nobody had begun", async () => {
    const { recovered, calls } = scene({});
    assert.deepEqual((await recovered())?.state, { kind: "created" });
    assert.deepEqual(calls, []);
  });

  it("has exited when the daemon was killed on the way, with nothing left at work on it", async () => {
    const { recovered, calls } = scene({ begun: true, monitor: monitorProcess });
    const after = await recovered();
    assert.equal(after?.state.kind === "exited" ? after.state.exit.reason : "", "StartError");
    assert.deepEqual(calls, ["halt c /bundle", "killAll /pod/c", "delete c", "forget c", "unmount c"]);
  });

  it("runs when it had been restored and its monitor is there, and is watched", async () => {
    const state = { status: "running" as const, pid: restoredProcess.pid };
    const { recovered, calls, watched } = scene({ begun: true, state, monitor: monitorProcess });
    const after = await recovered();
    assert.equal(after?.state.kind, "running");
    assert.deepEqual([after?.process, after?.monitor], [restoredProcess, monitorProcess]);
    assert.deepEqual(after?.restore, { checkpointedAtNs: "5" });
    assert.deepEqual(watched, [after]);
    assert.deepEqual(calls, ["discard p"]);
  });

  it("has exited when it had been restored but its monitor is gone: nobody would see its end or keep its log", async () => {
    const state = { status: "running" as const, pid: restoredProcess.pid };
    const { recovered, calls } = scene({ begun: true, state });
    assert.equal((await recovered())?.state.kind, "exited");
    assert.ok(calls.includes("killAll /pod/c"));
  });
});
