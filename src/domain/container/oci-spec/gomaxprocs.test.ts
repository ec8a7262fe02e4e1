import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gomaxprocs } from "./gomaxprocs.ts";

describe("GOMAXPROCS", () => {
  for (const [minimum, cpuShares, cpuQuotaUs, expected] of [
    [4, 2, 0, 4],
    [1, 2048, 0, 4],
    [2, 1500, -1, 3],
    [4, 1024, 50_000, undefined],
    [0, 1024, 0, undefined],
  ] as const) {
    it(`with a minimum of ${minimum}, ${cpuShares} shares and a quota of ${cpuQuotaUs} is ${expected}`, () => {
      assert.equal(gomaxprocs(minimum, { cpuShares, cpuQuotaUs }), expected);
    });
  }

  it("is the minimum for a container that asks for nothing", () => {
    assert.equal(gomaxprocs(3, undefined), 3);
  });
});
