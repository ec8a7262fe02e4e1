import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import { exampleContainer, exampleSandbox } from "#domain/pod/entity-examples.ts";
import { silentLogger } from "#observability/logger.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerExits } from "./container-exits.ts";
import { ContainerStore } from "./container-store.ts";
import { startContainer } from "./start-container.ts";

const waiting = { pid: 1, startTime: "1" };

/** A created container of a ready pod, and what starts it. */
function created(put: () => Promise<void>, watch: () => void = () => {}) {
  const runtime = fakeRuntime();
  const store = new ContainerStore(noRecords({ put }));
  const container = exampleContainer({ state: { kind: "created" }, process: waiting });
  store.adopt(container);
  const drivers = {
    store,
    runtimes: fakeRuntimes(runtime),
    bundles: { path: (id: string) => `/bundles/${id}` },
    sandboxes: { index: { current: () => exampleSandbox({ state: { kind: "ready" } }) } },
    publish() {},
    logger: silentLogger,
  } as unknown as ContainerDrivers;
  const exits = { watch } as unknown as ContainerExits;
  const state = () => store.index.get(container.id).state;
  return { runtime, state, start: () => startContainer(drivers, exits, container) };
}

describe("a container whose start cannot be recorded", () => {
  it("does not run, since whoever hears of the failure may start another one", async () => {
    const { runtime, start } = created(() => Promise.reject(new Error("no space left on device")));
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
