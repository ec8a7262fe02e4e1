import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import type { OciRuntime, RuntimeState } from "#drivers/oci-runtime/index.ts";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import { silentLogger } from "#observability/logger.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { ContainerStore } from "./container-store.ts";
import type { ContainerState } from "./container.ts";
import { ContainerStops } from "./stop-container.ts";

const exit = { exitCode: 137, finishedAtNs: "1", reason: "Error", message: "" };
const isEnded: ContainerState = { kind: "exited", startedAtNs: "0", exit };
const isRunning: ContainerState = { kind: "running", startedAtNs: "1" };

/** A container of a runtime that signals it itself and refuses to as long as `status` is not "running". */
function sandboxed(state: ContainerState, status: RuntimeState["status"] | undefined) {
  const store = new ContainerStore(noRecords());
  const container = exampleContainer({ state });
  store.adopt(container);
  const now = { status, onState: (): void => {}, onStartSettled: (): void => {} };
  const become = (next: ContainerState): void => store.adopt({ ...container, state: next });
  const runtime: OciRuntime & { calls: string[] } = fakeRuntime({
    async state() {
      now.onState();
      return now.status === undefined ? undefined : { status: now.status, pid: 1 };
    },
    async kill(_id, signal) {
      runtime.calls.push(signal);
      if (now.status !== "running") throw new Error("cannot signal the container");
      become(isEnded);
    },
    async delete() {
      runtime.calls.push("delete");
      become(isEnded);
    },
  });
  const drivers = {
    store,
    runtimes: fakeRuntimes(runtime),
    settings: { isSandboxed: () => true },
    logger: silentLogger,
  } as unknown as ContainerDrivers;
  const exits = {
    watchIfPossible() {},
    wait: async () => store.index.get(container.id).state.kind === "exited",
    settle: async () => become(isEnded),
    startSettled: async () => now.onStartSettled(),
  } as unknown as ContainerExits;
  const stops = new ContainerStops(drivers, exits);
  return { runtime, now, become, stops, stop: (graceMs: number) => stops.stop(container, graceMs) };
}

describe("the stop of a container that its runtime signals", () => {
  it("takes it away when it was not started", async () => {
    const { runtime, stop } = sandboxed({ kind: "created" }, "created");
    await stop(0);
    assert.deepEqual(runtime.calls, ["SIGKILL", "delete"]);
  });

  it("kills it once a start that is under way is done", async () => {
    const { runtime, now, become, stop } = sandboxed({ kind: "created" }, "created");
    now.onStartSettled = () => {
      now.status = "running";
      become(isRunning);
    };
    await stop(0);
    assert.deepEqual(runtime.calls, ["SIGKILL", "SIGKILL"]);
  });

  it("kills it when its start has come to its end before the runtime was asked about it", async () => {
    const { runtime, now, become, stop } = sandboxed({ kind: "created" }, "created");
    now.onState = () => {
      now.status = "running";
      become(isRunning);
    };
    await stop(0);
    assert.deepEqual(runtime.calls, ["SIGKILL", "SIGKILL"]);
  });

  it("leaves the end to a start that has failed", async () => {
    const { runtime, now, become, stop } = sandboxed({ kind: "created" }, "created");
    now.onStartSettled = () => become(isEnded);
    await stop(0);
    assert.deepEqual(runtime.calls, ["SIGKILL"]);
  });

  it("is done when it has ended meanwhile", async () => {
    for (const status of ["stopped", undefined] as const) {
      const { runtime, stop } = sandboxed(isRunning, status);
      await stop(1000);
      assert.deepEqual(runtime.calls, ["SIGTERM"]);
    }
  });

  it("fails when it should have", async () => {
    const { stops, stop } = sandboxed(isRunning, "paused");
    const stopping = stop(1000);
    assert.equal(stops.isStopping(exampleContainer().id), true);
    await assert.rejects(stopping, /cannot signal the container/);
    assert.equal(stops.isStopping(exampleContainer().id), false);
  });
});
