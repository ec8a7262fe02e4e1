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

describe("a container whose start cannot be recorded", () => {
  it("does not run, since whoever hears of the failure may start another one", async () => {
    const runtime = fakeRuntime();
    const store = new ContainerStore(noRecords({ put: () => Promise.reject(new Error("no space left on device")) }));
    const process = { pid: 1, startTime: "1" };
    const container = exampleContainer({ state: { kind: "created" }, process });
    store.adopt(container);
    const drivers = {
      store,
      runtimes: fakeRuntimes(runtime),
      bundles: { path: (id: string) => `/bundles/${id}` },
      sandboxes: { index: { current: () => exampleSandbox({ state: { kind: "ready" } }) } },
      publish() {},
      logger: silentLogger,
    } as unknown as ContainerDrivers;
    const exits = { watch() {} } as unknown as ContainerExits;
    await assert.rejects(startContainer(drivers, exits, container), /no space left/);
    assert.deepEqual(runtime.calls, ["start", "delete"]);
  });
});
