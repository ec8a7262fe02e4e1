import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { Hierarchy } from "./hierarchy.ts";
import { cgroupUsageReader } from "./usage-reader.ts";
import { recordedV1, recordedV2 } from "./usage-recorded.ts";

const hugePageSizes = { hugePageSizes: () => Promise.resolve(["2MB", "1GB"]) };

describe("usage of groups", () => {
  let root = "";
  before(async () => (root = await mkdtemp(path.join(os.tmpdir(), "berth-cgroup-"))));
  after(() => rm(root, { recursive: true }));

  async function put(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(path.join(root, directory), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(root, directory, name), text);
  }

  const v2 = (): Hierarchy => ({ version: 2, mountPoints: new Map([["", path.join(root, "v2")]]) });
  const v1 = (): Hierarchy => {
    const mounts: [string, string][] = ["memory", "cpu,cpuacct", "blkio", "pids", "hugetlb"].flatMap((place) =>
      place.split(",").map((controller): [string, string] => [controller, path.join(root, "v1", place)]),
    );
    return { version: 1, mountPoints: new Map(mounts) };
  };

  async function putV1(group: string): Promise<void> {
    for (const [place, files] of Object.entries(recordedV1)) await put(path.join("v1", place, group), files);
  }

  describe("on a machine with both versions", () => {
    const hybrid = (): Hierarchy => {
      const mountPoints = new Map([...v1().mountPoints, ["unified", path.join(root, "unified")] as const]);
      mountPoints.delete("hugetlb");
      return { version: 1, mountPoints };
    };
    const { "hugetlb.2MB.current": huge = "4194304\n", "cpu.pressure": cpu = "" } = recordedV2;
    const read = (group: string) => cgroupUsageReader(hybrid(), hugePageSizes).readUsage(group);

    it("have pressure and huge pages from the unified hierarchy, which version 1 does not count", async () => {
      await putV1("hybrid/a");
      await put("unified/hybrid/a", {
        "cgroup.events": "populated 1\nfrozen 0\n",
        "hugetlb.2MB.current": huge,
        "cpu.pressure": cpu,
      });
      const usage = await read("/hybrid/a");
      assert.equal(usage?.pressure?.cpu?.some.totalUs, 16_000_000);
      assert.deepEqual(
        usage?.hugetlb?.map(({ pageSize, usageBytes }) => [pageSize, usageBytes]),
        [["2MB", Number(huge)]],
      );
      assert.equal(usage?.cpu?.usageNs, 12_345_678_901_234_567n);
    });

    it("have neither where the runtime has put no process there", async () => {
      await putV1("hybrid/b");
      await put("unified/hybrid/b", { "cgroup.events": "populated 0\nfrozen 0\n", "cpu.pressure": cpu });
      await putV1("hybrid/c");
      for (const group of ["/hybrid/b", "/hybrid/c"])
        assert.deepEqual([(await read(group))?.pressure, (await read(group))?.hugetlb], [undefined, undefined]);
    });
  });

  it("are read from the unified hierarchy", async () => {
    await put("v2/kubepods/pod1/crio-a", recordedV2);
    const usage = await cgroupUsageReader(v2(), hugePageSizes).readUsage("/kubepods/pod1/crio-a");
    assert.ok(usage !== undefined && usage.timestampNs > 1_600_000_000_000_000_000n);
    const { timestampNs: _when, ...counted } = usage;
    assert.deepEqual(counted, {
      cpu: {
        usageNs: 9_123_456_789_000n,
        userNs: 7_000_000_000_000n,
        systemNs: 2_123_456_789_000n,
        periods: 500,
        throttledPeriods: 20,
        throttledNs: 1_500_000_000n,
      },
      memory: {
        usageBytes: 104_857_600,
        workingSetBytes: 94_371_840,
        rssBytes: 52_428_800,
        cacheBytes: 41_943_040,
        mappedFileBytes: 4_194_304,
        kernelBytes: 6_291_456,
        pageFaults: 120_000,
        majorPageFaults: 42,
        limitBytes: 268_435_456,
      },
      swap: { usageBytes: 8192, limitBytes: undefined },
      memoryDetail: { maxUsageBytes: 200_000_000, limitHits: 7, oomKills: 1 },
      pressure: {
        cpu: {
          some: { totalUs: 16_000_000, avg10: 0.5, avg60: 1.25, avg300: 0.13 },
          full: { totalUs: 2_000_000, avg10: 0.1, avg60: 0, avg300: 0.02 },
        },
        memory: {
          some: { totalUs: 300, avg10: 0, avg60: 0, avg300: 0 },
          full: { totalUs: 200, avg10: 0, avg60: 0, avg300: 0 },
        },
        io: {
          some: { totalUs: 1000, avg10: 0, avg60: 0, avg300: 0 },
          full: { totalUs: 900, avg10: 0, avg60: 0, avg300: 0 },
        },
      },
      io: [
        { major: 8, minor: 16, readBytes: 1_048_576, writtenBytes: 4096, reads: 12, writes: 1 },
        { major: 253, minor: 0, readBytes: 20_480, writtenBytes: 0, reads: 5, writes: 0 },
      ],
      pids: { tasks: 9, maxTasks: undefined },
      hugetlb: [{ pageSize: "2MB", usageBytes: 4_194_304, maxUsageBytes: undefined }],
    });
  });

  it("are read from the controllers' hierarchies of version 1", async () => {
    await putV1("/kubepods/pod1/crio-a");
    const usage = await cgroupUsageReader(v1(), hugePageSizes).readUsage("/kubepods/pod1/crio-a");
    assert.ok(usage !== undefined);
    const { timestampNs: _when, ...counted } = usage;
    assert.deepEqual(counted, {
      cpu: {
        usageNs: 12_345_678_901_234_567n,
        userNs: 8_000_000_000n,
        systemNs: 2_500_000_000n,
        periods: 100,
        throttledPeriods: 3,
        throttledNs: 123_456_789n,
      },
      memory: {
        usageBytes: 50_000_000,
        workingSetBytes: 30_000_000,
        rssBytes: 16_000_000,
        cacheBytes: 33_000_000,
        mappedFileBytes: 1_000_000,
        kernelBytes: 777,
        pageFaults: 4000,
        majorPageFaults: 11,
        limitBytes: 134_217_728,
      },
      swap: { usageBytes: 4096, limitBytes: 134_217_728 },
      memoryDetail: { maxUsageBytes: 60_000_000, limitHits: 5, oomKills: 2 },
      pressure: undefined,
      io: [{ major: 254, minor: 0, readBytes: 8192, writtenBytes: 512, reads: 2, writes: 1 }],
      pids: { tasks: 3, maxTasks: 100 },
      hugetlb: [{ pageSize: "2MB", usageBytes: 0, maxUsageBytes: 2_097_152 }],
    });
  });

  it("are found below the slices that a unit's slice is made of", async () => {
    const scope = "v2/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podx.slice/crio-a.scope";
    await put(scope, { "pids.current": "3\n", "pids.max": "20\n", "cgroup.procs": "11\n0\n12\n" });
    const reader = cgroupUsageReader(v2());
    const ofContainer = await reader.readUsage("kubepods-burstable-podx.slice:crio:a", ["pids"]);
    assert.deepEqual(ofContainer?.pids, { tasks: 3, maxTasks: 20 });
    assert.deepEqual(await reader.readProcesses("kubepods-burstable-podx.slice:crio:a"), [11, 12]);

    await put(path.dirname(scope), { "pids.current": "7\n" });
    const ofPod = await reader.readUsage("/kubepods.slice/kubepods-burstable-podx.slice", ["pids"]);
    assert.equal(ofPod?.pids?.tasks, 7);
  });

  it("are those of the nested group that crun makes", async () => {
    await put("v2/pod/crio-b", { "memory.current": "5000", "memory.max": "max" });
    await put("v2/pod/crio-b/container", { "memory.current": "4000", "memory.max": "8000" });
    const usage = await cgroupUsageReader(v2()).readUsage("/pod/crio-b", ["memory"]);
    assert.equal(usage?.memory?.usageBytes, 4000);
    assert.equal(usage.memory.limitBytes, 8000);
  });

  it("have only the parts that were asked for and are counted", async () => {
    await put("v2/pod/crio-c", { ...recordedV2, "cpu.stat": "usage_usec 5\n" });
    const usage = await cgroupUsageReader(v2()).readUsage("/pod/crio-c", ["cpu", "hugetlb"]);
    assert.equal(usage?.cpu?.usageNs, 5000n);
    assert.equal(usage.cpu.periods, undefined);
    assert.equal(usage.memory, undefined);
    assert.equal(usage.pressure, undefined);
  });

  for (const version of ["v1", "v2"] as const)
    it(`are undefined, and its processes none, for a group of ${version} that is gone`, async () => {
      const reader = cgroupUsageReader(version === "v1" ? v1() : v2(), hugePageSizes);
      assert.equal(await reader.readUsage("/kubepods/gone/crio-z"), undefined);
      assert.deepEqual(await reader.readProcesses("/kubepods/gone/crio-z"), []);
    });
});
