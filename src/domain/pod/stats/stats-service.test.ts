import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleContainerRequest, exampleSandboxRequest } from "#domain/container/request-example.ts";
import { createStats } from "./stats-service.ts";
import { exampleContainer, exampleNode, exampleSandbox, exampleUsage, exited } from "./stats-example.ts";

const onDemand = { collectionPeriodSeconds: 0, includedPodMetrics: [] };

const labels = {};

describe("stats of a container", () => {
  it("tell what its group and its writable layer use", async () => {
    const { drivers } = exampleNode();
    const { container, ...stats } = await createStats(drivers, onDemand).container("a");
    const { writableLayer, ...usage } = stats;
    const timestampNs = 1_700_000_010_000_000_000n;
    const { pressure } = exampleUsage();
    assert.equal(container.id, "a");
    assert.deepEqual(usage, {
      cpu: { timestampNs, usageCoreNanoSeconds: 12_000_000_000n, usageNanoCores: undefined, pressure: pressure?.cpu },
      memory: {
        timestampNs,
        workingSetBytes: 800,
        availableBytes: 1200,
        usageBytes: 1000,
        rssBytes: 500,
        pageFaults: 20,
        majorPageFaults: 2,
        pressure: pressure?.memory,
      },
      swap: { timestampNs, availableBytes: 90, usageBytes: 10 },
      io: { timestampNs, pressure: pressure?.io },
    });
    assert.ok(writableLayer !== undefined);
    const { timestampNs: _when, ...layer } = writableLayer;
    assert.deepEqual(layer, { mountpoint: "/var/lib/berth/containers", usedBytes: 4096, inodesUsed: 3 });
  });

  it("have only a layer once it has exited", async () => {
    const { drivers } = exampleNode();
    const stats = await createStats(drivers, onDemand).container("b");
    assert.equal(stats.cpu, undefined);
    assert.equal(stats.memory, undefined);
    assert.equal(stats.writableLayer?.usedBytes, 8192);
  });

  it("are not found for an unknown id", async () => {
    const { drivers } = exampleNode();
    await assert.rejects(createStats(drivers, onDemand).container("zzz"), { kind: "not-found" });
  });

  it("come without a layer when measuring takes too long", async () => {
    const node = exampleNode();
    const never = { ...node.drivers.storage, rootfsUsage: () => new Promise<never>(() => undefined) };
    const stats = await createStats({ ...node.drivers, storage: never }, onDemand).container("a");
    assert.equal(stats.writableLayer, undefined);
    assert.equal(stats.memory?.usageBytes, 1000);
  });
});

describe("the list of container stats", () => {
  it("has the live containers that fit the filter", async () => {
    const { drivers, containers, sandboxes } = exampleNode();
    sandboxes.adopt(exampleSandbox({ id: "pod2" }));
    const request = exampleContainerRequest({ metadata: { name: "c", attempt: 0 }, labels: { app: "c" } });
    containers.adopt(exampleContainer("c", { sandboxId: "pod2", request, state: { kind: "created" } }));
    const stats = createStats(drivers, onDemand);
    const ids = async (filter: Parameters<typeof stats.listContainers>[0]): Promise<string[]> =>
      (await stats.listContainers(filter)).map(({ container }) => container.id);
    assert.deepEqual(await ids({ labels }), ["a", "c"]);
    assert.deepEqual(await ids({ labels, sandboxId: "pod2" }), ["c"]);
    assert.deepEqual(await ids({ labels: { app: "c" } }), ["c"]);
    assert.deepEqual(await ids({ labels, id: "a" }), ["a"]);
    assert.deepEqual(await ids({ labels, id: "b" }), []);
  });

  it("leaves out a container that goes away meanwhile and one that cannot be read", async () => {
    const node = exampleNode();
    for (const id of ["gone", "broken"]) node.containers.adopt(exampleContainer(id));
    const usage: typeof node.drivers.usage = {
      ...node.drivers.usage,
      async readUsage(group, parts) {
        if (group.endsWith("broken")) throw new Error("EIO");
        if (group.endsWith("gone")) await node.containers.delete("gone");
        return node.drivers.usage.readUsage(group, parts);
      },
    };
    const listed = await createStats({ ...node.drivers, usage }, onDemand).listContainers({ labels });
    assert.deepEqual(
      listed.map(({ container }) => container.id),
      ["a"],
    );
  });

  it("never waits for a writable layer to be measured", async () => {
    const node = exampleNode();
    const first = Promise.withResolvers<{ usedBytes: number; inodesUsed: number }>();
    const storage = { ...node.drivers.storage, rootfsUsage: () => first.promise };
    const stats = createStats({ ...node.drivers, storage }, onDemand);
    const [before] = await stats.listContainers({ labels });
    assert.equal(before?.writableLayer, undefined);
    first.resolve({ usedBytes: 77, inodesUsed: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    const [after] = await stats.listContainers({ labels });
    assert.equal(after?.writableLayer?.usedBytes, 77);
  });
});

describe("stats of a pod", () => {
  it("tell what its group, its network and its live containers use", async () => {
    const { drivers } = exampleNode();
    const stats = await createStats(drivers, onDemand).sandbox("pod1");
    assert.equal(stats.cpu?.usageCoreNanoSeconds, 12_000_000_000n);
    assert.equal(stats.memory?.workingSetBytes, 800);
    assert.equal(stats.processes?.count, 8);
    assert.deepEqual(
      stats.containers.map(({ container }) => container.id),
      ["a"],
    );
    const { defaultInterface, interfaces } = stats.network ?? {};
    assert.equal(defaultInterface?.name, "eth0");
    assert.deepEqual([defaultInterface.rxBytes, defaultInterface.txErrors], [1000, 3]);
    assert.deepEqual(
      interfaces?.map(({ name }) => name),
      ["net1"],
    );
  });

  it("add up its containers when other pods share its cgroup parent", async () => {
    const { drivers, containers, groups, sandboxes } = exampleNode();
    const metadata = { name: "other", uid: "other", namespace: "default", attempt: 0 };
    sandboxes.adopt(exampleSandbox({ id: "pod2", request: exampleSandboxRequest({ metadata }) }));
    containers.adopt(exampleContainer("c"));
    groups.set("/kubepods/pod1/crio-c", exampleUsage());
    const stats = await createStats(drivers, onDemand).sandbox("pod1");
    assert.equal(stats.cpu?.usageCoreNanoSeconds, 24_000_000_000n);
    assert.equal(stats.memory?.usageBytes, 2000);
    assert.equal(stats.processes?.count, 12);
  });

  it("are those of its group when an earlier attempt of the pod is still there", async () => {
    const { drivers, sandboxes } = exampleNode();
    const metadata = { ...exampleSandboxRequest().metadata, attempt: 1 };
    sandboxes.adopt(exampleSandbox({ id: "pod2", request: exampleSandboxRequest({ metadata }) }));
    assert.equal((await createStats(drivers, onDemand).sandbox("pod2")).processes?.count, 8);
  });

  it("have no network when the pod uses the host's or its namespace is gone", async () => {
    const node = exampleNode();
    node.sandboxes.adopt(exampleSandbox({ id: "host", namespaces: {} }));
    assert.equal((await createStats(node.drivers, onDemand).sandbox("host")).network, undefined);
    const gone = Object.assign(new Error("no such file"), { code: "ENOENT" });
    const drivers = { ...node.drivers, readInNetns: () => Promise.reject(gone) };
    assert.equal((await createStats(drivers, onDemand).sandbox("pod1")).network, undefined);
  });

  it("are listed for ready pods only, and empty for one that was stopped", async () => {
    const { drivers, sandboxes } = exampleNode();
    sandboxes.adopt(exampleSandbox({ id: "pod2", state: { kind: "stopped", stoppedAtNs: "1" } }));
    const stats = createStats(drivers, onDemand);
    const listed = await stats.listSandboxes({ labels });
    assert.deepEqual(
      listed.map(({ sandbox }) => sandbox.id),
      ["pod1"],
    );
    const stopped = await stats.sandbox("pod2");
    assert.deepEqual([stopped.cpu, stopped.containers], [undefined, []]);
  });
});

describe("stats with a collection period", () => {
  it("come from the last collection, and are collected for what came after it", async () => {
    const node = exampleNode();
    let reads = 0;
    const usage: typeof node.drivers.usage = {
      ...node.drivers.usage,
      readUsage(group, parts) {
        if (group.endsWith("crio-a")) reads += 1;
        return node.drivers.usage.readUsage(group, parts);
      },
    };
    const settings = { collectionPeriodSeconds: 3600, includedPodMetrics: [] };
    const stats = createStats({ ...node.drivers, usage }, settings);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reads, 1);
    await stats.listContainers({ labels });
    await stats.sandbox("pod1");
    assert.equal(reads, 1);

    node.containers.adopt(exampleContainer("new"));
    node.groups.set("/kubepods/pod1/crio-new", exampleUsage());
    assert.equal((await stats.container("new")).memory?.usageBytes, 1000);

    node.containers.adopt(exampleContainer("a", { state: exited }));
    assert.equal((await stats.container("a")).memory, undefined);
    await stats.close();
  });
});
