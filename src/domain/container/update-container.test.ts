import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import { noRecords } from "#domain/entity/no-records.ts";
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
    version?: 1 | 2;
    hugepages?: LinuxResources["hugepageLimits"];
    update?: () => Promise<void>;
  }

  async function changed(
    change: Partial<LinuxResources>,
    { hasMemorySwap = true, isAlive = true, version = 2, hugepages = [], update }: Case = {},
  ) {
    const store = new ContainerStore(noRecords());
    const container = exampleContainer({
      process: { pid: 1, startTime: "1" },
      resources: { ...noResources, memoryLimitBytes: 64, memorySwapLimitBytes: 128, hugepageLimits: hugepages },
    });
    store.adopt(container);
    const given: OciResources[] = [];
    const drivers = {
      store,
      runtimes: fakeRuntimes(fakeRuntime({ update: update ?? (async (_id, resources) => void given.push(resources)) })),
      processes: { isAlive: () => isAlive },
      cgroups: { checkMemoryLimit: async () => {} },
      security: { facts: { cgroup: { version, controllers: ["memory", "hugetlb"], hasMemorySwap } } },
      settings: { specPolicy: async () => ({ minMemoryBytes: 0 }) },
      logger: silentLogger,
    } as unknown as ContainerDrivers;
    await updateContainerResources(drivers, container, { ...noResources, ...change });
    const all = store.index.get(container.id).resources ?? noResources;
    return { given: given[0]?.memory, shown: [all.memoryLimitBytes, all.memorySwapLimitBytes], all };
  }

  it("of memory alone leave no swap, and show it", async () => {
    const { given, shown } = await changed({ memoryLimitBytes: 96 });
    assert.deepEqual({ given, shown }, { given: { limit: 96, swap: 96 }, shown: [96, 96] });
  });

  it("of memory and swap are shown as they were asked for", async () => {
    const both = { memoryLimitBytes: 96, memorySwapLimitBytes: -1 };
    const { given, shown } = await changed(both);
    assert.deepEqual({ given, shown }, { given: { limit: 96, swap: -1 }, shown: [96, -1] });
  });

  it("of something else, or where the kernel does not count swap, leave what is shown of it", async () => {
    assert.deepEqual((await changed({ cpuShares: 2 })).shown, [64, 128]);
    assert.deepEqual((await changed({ memoryLimitBytes: 96 }, { hasMemorySwap: false })).shown, [96, 128]);
  });

  it("are not shown where they are not in force", async () => {
    const change = { memorySwapLimitBytes: 256, oomScoreAdj: 5, unified: { "memory.high": "1" } };
    const { all } = await changed(change, { hasMemorySwap: false, version: 1 });
    assert.deepEqual([all.memorySwapLimitBytes, all.oomScoreAdj, all.unified], [128, 0, {}]);
  });

  it("of one size of huge pages leave those of another", async () => {
    const limit = (pageSize: string, limitBytes: number) => ({ pageSize, limitBytes });
    const { all } = await changed(
      { hugepageLimits: [limit("2MB", 4)] },
      { hugepages: [limit("1GB", 1), limit("2MB", 2)] },
    );
    assert.deepEqual(all.hugepageLimits, [limit("1GB", 1), limit("2MB", 4)]);
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
