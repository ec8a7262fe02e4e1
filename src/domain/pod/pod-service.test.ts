import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noResources } from "#domain/container/no-resources.ts";
import { noRecords } from "#domain/entity/no-records.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import { exampleSandbox } from "./entity-examples.ts";
import { InfraWatch } from "./infra-watch.ts";
import type { PodDrivers } from "./pod-drivers.ts";
import { PodService } from "./pod-service.ts";

describe("new limits of a pod", () => {
  /** A pod that ends while the kernel is told of its new limits. */
  async function updatedWhile(end: (store: SandboxStore, id: string) => Promise<unknown>): Promise<SandboxStore> {
    const store = new SandboxStore(noRecords());
    const pod = exampleSandbox({ id: "pod", cgroupParent: "/kubepods/pod", madeCgroup: "/kubepods/pod" });
    store.adopt(pod);
    const drivers = {
      sandbox: { store, cgroups: { setLimits: () => end(store, pod.id) } },
    } as unknown as PodDrivers;
    await new PodService(drivers, new InfraWatch(drivers)).updateResources(pod.id, undefined, undefined);
    return store;
  }

  it("do not make one ready again that is stopped meanwhile", async () => {
    const store = await updatedWhile((pods, id) => pods.transition(pods.index.get(id), { kind: "stopping" }));
    assert.deepEqual(store.index.get("pod").state, { kind: "stopping" });
  });

  it("of overhead and of containers at the same time are both kept", async () => {
    const store = new SandboxStore(noRecords());
    const pod = exampleSandbox({ id: "pod", cgroupParent: "/kubepods/pod", madeCgroup: "/kubepods/pod" });
    store.adopt(pod);
    const drivers = { sandbox: { store, cgroups: { setLimits: async () => {} } } } as unknown as PodDrivers;
    const service = new PodService(drivers, new InfraWatch(drivers));
    const [overhead, resources] = [
      { ...noResources, cpuShares: 2 },
      { ...noResources, cpuShares: 3 },
    ];
    await Promise.all([
      service.updateResources(pod.id, overhead, undefined),
      service.updateResources(pod.id, undefined, resources),
    ]);
    const { linux } = store.index.get(pod.id).request;
    assert.deepEqual([linux.overhead, linux.resources], [overhead, resources]);
  });

  it("do not bring one back that is removed meanwhile", async () => {
    const store = await updatedWhile(async (pods, id) => void pods.delete(id));
    assert.deepEqual(store.index.all(), []);
  });
});
