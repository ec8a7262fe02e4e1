import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import { exampleContainer, exampleSandbox } from "#domain/pod/entity-examples.ts";
import { silentLogger } from "#observability/logger.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { ContainerStore } from "./container-store.ts";
import type { Container } from "./container.ts";
import { startContainer } from "./start-container.ts";

const diskIsFull = (): Promise<void> => Promise.reject(new Error("no space left on device"));
const waiting = { pid: 1, startTime: "1" };

/** A created container of a ready pod, and what starts it. */
function created(
  put: () => Promise<void>,
  watch: () => void = () => {},
  runtime = fakeRuntime(),
  process: Partial<Container> = { process: waiting },
) {
  const store = new ContainerStore(noRecords({ put }));
  const stopping = { now: false };
  const signals: string[] = [];
  const onSignal = { now: (): void => {} };
  const logged: string[] = [];
  const container = exampleContainer({ state: { kind: "created" }, ...process });
  store.adopt(container);
  const drivers = {
    store,
    runtimes: fakeRuntimes(runtime),
    bundles: { path: (id: string) => `/bundles/${id}` },
    sandboxes: { index: { current: () => exampleSandbox({ state: { kind: "ready" } }) } },
    processes: {
      signal(_process: unknown, signal: string) {
        signals.push(signal);
        onSignal.now();
      },
    },
    publish() {},
    logger: { ...silentLogger, error: (message: string) => logged.push(message) },
  } as unknown as ContainerDrivers;
  const exits = { watch } as unknown as ContainerExits;
  const state = () => store.index.get(container.id).state;
  return {
    runtime,
    stopping,
    signals,
    onSignal,
    logged,
    state,
    start: () => startContainer(drivers, exits, { isStopping: () => stopping.now }, container),
  };
}

describe("a container whose start cannot be recorded", () => {
  it("does not run, since whoever hears of the failure may start another one", async () => {
    const { runtime, start } = created(diskIsFull);
    await assert.rejects(start(), /no space left/);
    assert.deepEqual(runtime.calls, ["start", "delete"]);
  });
});

describe("a container whose process cannot be watched", () => {
  it("is not started, and what waited is taken away", async () => {
    const { runtime, state, start } = created(
      async () => {},
      () => {
        throw new Error("pidfds are forbidden");
      },
    );
    await assert.rejects(start(), /pidfds are forbidden/);
    assert.deepEqual(runtime.calls, ["delete"]);
    const now = state();
    assert.ok(now.kind === "exited");
    assert.equal(now.exit.message, "pidfds are forbidden");
  });
});

describe("a container that does not start", () => {
  const broken = (): ReturnType<typeof fakeRuntime> =>
    fakeRuntime({ start: () => Promise.reject(new Error("no such program")) });

  it("fails with why, also when its end cannot be recorded, which is logged", async () => {
    const { logged, start } = created(diskIsFull, undefined, broken());
    await assert.rejects(start(), /no such program/);
    assert.deepEqual(logged, ["cannot record the end of a container that did not start"]);
  });

  const stuck = (): ReturnType<typeof fakeRuntime> =>
    fakeRuntime({
      start: () => Promise.reject(new Error("no such program")),
      delete: () => Promise.reject(new Error("the runtime is stuck")),
    });

  it("is killed and has ended when its runtime cannot take it away", async () => {
    const { signals, state, start } = created(async () => {}, undefined, stuck());
    await assert.rejects(start(), /no such program/);
    assert.deepEqual(signals, ["SIGKILL"]);
    assert.equal(state().kind, "exited");
  });

  it("has not ended as long as nothing can be done about its process", async () => {
    const { onSignal, logged, state, start } = created(async () => {}, undefined, stuck());
    onSignal.now = () => {
      throw new Error("too many open files");
    };
    await assert.rejects(start(), /no such program/);
    assert.deepEqual(logged, ["cannot kill a container that did not start: it stays as it is until it is stopped"]);
    assert.deepEqual(state(), { kind: "created" });
  });
});

describe("a container that is being stopped", () => {
  it("is not started", async () => {
    const { runtime, stopping, state, start } = created(async () => {});
    stopping.now = true;
    const message = /cannot be started: it is being stopped/;
    await assert.rejects(start(), { kind: "failed-precondition", message });
    assert.deepEqual(runtime.calls, []);
    assert.deepEqual(state(), { kind: "created" });
  });

  it("ends by that, and not by the failure of a start that was under way", async () => {
    const runtime = fakeRuntime({
      start() {
        stopping.now = true;
        return Promise.reject(new Error("cannot start a container that has stopped"));
      },
    });
    const { stopping, state, start } = created(async () => {}, undefined, runtime);
    const message = /cannot be started: it is being stopped: cannot start a container that has stopped/;
    await assert.rejects(start(), { kind: "failed-precondition", message });
    assert.deepEqual(runtime.calls, []);
    assert.deepEqual(state(), { kind: "created" });
  });

  it("has ended also when nothing waited for its start, as nothing can be killed then", async () => {
    const runtime = fakeRuntime();
    const { stopping, state, start } = created(
      async () => {},
      () => (stopping.now = true),
      runtime,
      {},
    );
    await assert.rejects(start(), { kind: "failed-precondition", message: /has no process/ });
    assert.equal(state().kind, "exited");
  });
});
