import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupLimits } from "./index.ts";
import { cpuWeight, limitFiles } from "./limit-files.ts";
import { noLimits } from "./limits-example.ts";
import { groupPath, slicePath, slicesAbove } from "./slice-path.ts";
import { limitProperties } from "./unit-limits.ts";

const some: GroupLimits = {
  cpuShares: 1024,
  cpuPeriodUs: 50_000,
  cpuQuotaUs: 25_000,
  memoryLimitBytes: 1 << 20,
  hugepageLimits: [{ pageSize: "2MB", limitBytes: 0 }],
  unified: { "memory.high": "4096" },
};

function fileTexts(version: 1 | 2, limits: GroupLimits): string[] {
  return limitFiles(version, limits).map(({ controller, name, value }) => `${controller}/${name} ${value}`);
}

describe("limits of a group as files", () => {
  it("are none where nothing is given", () => {
    assert.deepEqual(fileTexts(1, noLimits), []);
    assert.deepEqual(fileTexts(2, noLimits), []);
  });

  it("lie in the controllers' hierarchies on version 1, which knows no unified keys", () => {
    assert.deepEqual(fileTexts(1, some), [
      "cpu/cpu.shares 1024",
      "cpu/cpu.cfs_period_us 50000",
      "cpu/cpu.cfs_quota_us 25000",
      "memory/memory.limit_in_bytes 1048576",
      "hugetlb/hugetlb.2MB.limit_in_bytes 0",
    ]);
  });

  it("lie in one directory on version 2", () => {
    assert.deepEqual(fileTexts(2, some), [
      "/cpu.weight 100",
      "/cpu.max 25000 50000",
      "/memory.max 1048576",
      "/hugetlb.2MB.max 0",
      "/memory.high 4096",
    ]);
  });

  it("can be taken away", () => {
    const unlimited = { ...noLimits, cpuQuotaUs: -1, memoryLimitBytes: -1 };
    assert.deepEqual(fileTexts(1, unlimited), ["cpu/cpu.cfs_quota_us -1", "memory/memory.limit_in_bytes -1"]);
    assert.deepEqual(fileTexts(2, unlimited), ["/cpu.max max 100000", "/memory.max max"]);
  });

  it("map shares to weights so that both ends and the defaults meet", () => {
    assert.deepEqual([0, 2, 1024, 262_144, 999_999].map(cpuWeight), [1, 1, 100, 10_000, 10_000]);
    assert.ok(cpuWeight(512) < cpuWeight(1024) && cpuWeight(1024) < cpuWeight(2048));
  });
});

describe("limits of a slice as systemd's properties", () => {
  it("are named by the cgroup version", () => {
    assert.deepEqual(limitProperties(2, some), [
      ["CPUWeight", "t", 100n],
      ["CPUQuotaPeriodUSec", "t", 50_000n],
      ["CPUQuotaPerSecUSec", "t", 500_000n],
      ["MemoryMax", "t", 1_048_576n],
    ]);
    assert.deepEqual(
      limitProperties(1, some).map(([name]) => name),
      ["CPUShares", "CPUQuotaPeriodUSec", "CPUQuotaPerSecUSec", "MemoryLimit"],
    );
  });

  it("round quotas up, since systemd would round them down", () => {
    const [, perSecond] = limitProperties(2, { ...noLimits, cpuQuotaUs: 1001, cpuPeriodUs: 100_000 });
    assert.deepEqual(perSecond, ["CPUQuotaPerSecUSec", "t", 20_000n]);
  });

  it("spell no limit as the largest number", () => {
    assert.deepEqual(limitProperties(2, { ...noLimits, memoryLimitBytes: -1 }), [["MemoryMax", "t", 2n ** 64n - 1n]]);
  });
});

describe("the path of a slice", () => {
  it("has a part for each dash", () => {
    assert.equal(
      slicePath("kubepods-besteffort-podx.slice"),
      "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podx.slice",
    );
    assert.deepEqual(slicesAbove("/a.slice/a-b.slice"), ["a.slice", "a-b.slice"]);
    assert.equal(slicePath("-.slice"), "/");
  });

  it("leads to a container's scope", () => {
    assert.equal(groupPath("a-b.slice:crio:123"), "/a.slice/a-b.slice/crio-123.scope");
    assert.equal(groupPath("/kubepods/podx/crio-123"), "/kubepods/podx/crio-123");
  });
});
