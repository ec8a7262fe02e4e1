import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import { DomainError } from "#errors/domain-error.ts";
import { silentLogger } from "#observability/logger.ts";
import type { OciResources } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { ContainerStore } from "./container-store.ts";
import { noResources } from "./no-resources.ts";
import { updateContainerResources } from "./update-container.ts";

describe("new limits of a container", () => {
  interface Case {
    hasMemorySwap?: boolean;
    isAlive?: boolean;
    update?: () => Promise<void>;
  }

  async function changed(change: Partial<LinuxResources>, { hasMemorySwap = true, isAlive = true, update }: Case = {}) {
    const store = new ContainerStore({
      load: async () => ({ records: [], corrupt: [] }),
      put: async () => {},
      remove: async () => {},
      close: async () => {},
    });
    const container = exampleContainer({
      process: { pid: 1, startTime: "1" },
      resources: { ...noResources, memoryLimitBytes: 64, memorySwapLimitBytes: 128 },
    });
    store.adopt(container);
    const given: OciResources[] = [];
    const drivers = {
      store,
      runtimes: fakeRuntimes(fakeRuntime({ update: update ?? (async (_id, resources) => void given.push(resources)) })),
      processes: { isAlive: () => isAlive },
      cgroups: { checkMemoryLimit: async () => {} },
      security: { facts: { cgroup: { version: 2, controllers: ["memory"], hasMemorySwap } } },
      settings: { specPolicy: async () => ({ minMemoryBytes: 0 }) },
      logger: silentLogger,
    } as unknown as ContainerDrivers;
    await updateContainerResources(drivers, container, { ...noResources, ...change });
    const { memoryLimitBytes, memorySwapLimitBytes } = store.index.get(container.id).resources ?? noResources;
    return { given: given[0]?.memory, shown: [memoryLimitBytes, memorySwapLimitBytes] };
  }

  it("of memory alone leave no swap, and show it", async () => {
    assert.deepEqual(await changed({ memoryLimitBytes: 96 }), { given: { limit: 96, swap: 96 }, shown: [96, 96] });
  });

  it("of memory and swap are shown as they were asked for", async () => {
    const both = { memoryLimitBytes: 96, memorySwapLimitBytes: -1 };
    assert.deepEqual(await changed(both), { given: { limit: 96, swap: -1 }, shown: [96, -1] });
  });

  it("of something else, or where the kernel does not count swap, leave what is shown of it", async () => {
    assert.deepEqual((await changed({ cpuShares: 2 })).shown, [64, 128]);
    assert.deepEqual((await changed({ memoryLimitBytes: 96 }, { hasMemorySwap: false })).shown, [96, 128]);
  });

  it("that the runtime refuses say so in its words, and that the container has ended if it has", async () => {
    const refused = new DomainError("invalid-argument", "container c: runc update exited with 1: invalid argument");
    const update = (): Promise<void> => Promise.reject(refused);
    await assert.rejects(changed({ cpuQuotaUs: 1 }, { update }), {
      kind: "invalid-argument",
      message: `the limits cannot be changed: ${refused.message}`,
    });
    await assert.rejects(changed({ cpuQuotaUs: 1 }, { update, isAlive: false }), { kind: "failed-precondition" });
  });
});
