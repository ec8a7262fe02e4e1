import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LinuxContainerResourcesSchema } from "../gen/runtime/v1/api_pb.ts";
import { resourcesFromWire, resourcesToWire } from "./resources.ts";

describe("LinuxContainerResources", () => {
  const message = create(LinuxContainerResourcesSchema, {
    cpuPeriod: 100_000n,
    cpuQuota: -1n,
    cpuShares: 1024n,
    memoryLimitInBytes: 1n << 40n,
    memorySwapLimitInBytes: -1n,
    oomScoreAdj: -999n,
    cpusetCpus: "0-3",
    cpusetMems: "0",
    hugepageLimits: [{ pageSize: "2MB", limit: 4096n }],
    unified: { "memory.high": "1" },
  });

  it("come back as they went", () => {
    const back = create(LinuxContainerResourcesSchema, resourcesToWire(resourcesFromWire(message, "linux")));
    assert.deepEqual(back, message);
  });

  it("hold limits beyond 2^53 as the largest exact number", () => {
    const huge = create(LinuxContainerResourcesSchema, {
      hugepageLimits: [{ pageSize: "1GB", limit: 2n ** 64n - 1n }],
    });
    assert.equal(resourcesFromWire(huge, "linux").hugepageLimits[0]?.limitBytes, Number.MAX_SAFE_INTEGER);
  });

  it("are refused with a negative memory limit or a swap limit below -1", () => {
    const refused = (init: object, message: string) =>
      assert.throws(() => resourcesFromWire(create(LinuxContainerResourcesSchema, init), "linux"), { message });
    refused({ memoryLimitInBytes: -1n }, "linux.memory_limit_in_bytes is negative: -1");
    refused(
      { memorySwapLimitInBytes: -2n },
      "linux.memory_swap_limit_in_bytes is neither a limit nor -1 for unlimited: -2",
    );
  });
});
