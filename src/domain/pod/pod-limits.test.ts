import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noResources as none } from "#domain/container/no-resources.ts";
import { podLimits } from "./pod-limits.ts";

describe("the limits of a pod's cgroup", () => {
  it("are those of its containers and its overhead together", () => {
    const containers = { ...none, cpuPeriodUs: 100_000, cpuQuotaUs: 50_000, cpuShares: 512, memoryLimitBytes: 1000 };
    const overhead = { ...none, cpuPeriodUs: 50_000, cpuQuotaUs: 5000, cpuShares: 10, memoryLimitBytes: 24 };
    const { cpuQuotaUs, cpuPeriodUs, cpuShares, memoryLimitBytes } = podLimits(overhead, containers);
    assert.deepEqual(
      { cpuQuotaUs, cpuPeriodUs, cpuShares, memoryLimitBytes },
      {
        cpuQuotaUs: 60_000,
        cpuPeriodUs: 100_000,
        cpuShares: 522,
        memoryLimitBytes: 1024,
      },
    );
  });

  it("are left as they are where the containers have none, whatever the overhead is", () => {
    const limits = podLimits({ ...none, cpuQuotaUs: 5000, memoryLimitBytes: 24 }, none);
    assert.equal(limits.cpuQuotaUs, 0);
    assert.equal(limits.memoryLimitBytes, 0);
  });

  it("can be taken away", () => {
    const limits = podLimits({ ...none, memoryLimitBytes: 24 }, { ...none, memoryLimitBytes: -1, cpuQuotaUs: -1 });
    assert.equal(limits.cpuQuotaUs, -1);
    assert.equal(limits.memoryLimitBytes, -1);
  });
});
