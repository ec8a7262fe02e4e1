import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { removeSandbox, stopSandbox } from "./end-sandbox.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { SandboxStore } from "./sandbox-store.ts";

describe("the stop of a pod sandbox", () => {
  it("keeps the network's namespace, and nothing else, for plugins that have to try again", async () => {
    const unpinned: string[] = [];
    let isRefused = true;
    const store = new SandboxStore(noRecords());
    const drivers = {
      store,
      infra: { remove: async () => {} },
      network: {
        tearDown: async () => {
          if (isRefused) throw new Error("the plugin is not ready");
        },
      },
      namespaces: { unpin: async (_id: string, kinds: string[]) => void unpinned.push(...kinds) },
      files: { unmount: async () => {} },
    } as unknown as SandboxDrivers;
    const sandbox = exampleSandbox({ cgroupParent: "" });
    store.adopt(sandbox);

    await assert.rejects(stopSandbox(drivers, sandbox), /the plugin is not ready/);
    assert.deepEqual(unpinned.splice(0), ["ipc", "uts", "user"]);
    assert.equal(store.index.get(sandbox.id).state.kind, "stopping");
    isRefused = false;
    await stopSandbox(drivers, store.index.get(sandbox.id));
    assert.deepEqual(unpinned.toSorted(), ["ipc", "net", "user", "uts"]);
    assert.equal(store.index.get(sandbox.id).state.kind, "stopped");
  });
});

describe("the removal of a pod sandbox", () => {
  it("keeps its SELinux level from other pods until its record is gone", async () => {
    const released: string[] = [];
    let isFull = true;
    const store = new SandboxStore(
      noRecords({
        remove: async () => {
          if (isFull) throw new Error("no space left on device");
        },
      }),
    );
    const drivers = {
      store,
      files: { remove: async () => {} },
      selinuxLevels: { release: (level: string) => void released.push(level) },
    } as unknown as SandboxDrivers;
    const sandbox = exampleSandbox({ state: { kind: "stopped", stoppedAtNs: "1" }, selinuxLevel: "s0:c1,c2" });
    store.adopt(sandbox);

    await assert.rejects(removeSandbox(drivers, sandbox), /no space left/);
    assert.deepEqual(released, []);
    isFull = false;
    await removeSandbox(drivers, store.index.get(sandbox.id));
    assert.deepEqual(released, ["s0:c1,c2"]);
  });
});
