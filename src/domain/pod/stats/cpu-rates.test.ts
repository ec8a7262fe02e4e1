import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CpuRates } from "./cpu-rates.ts";

describe("the rate at which CPUs are used", () => {
  it("is unknown until the second sample and then that between the two", () => {
    const rates = new CpuRates();
    assert.equal(rates.nanoCores("a", 1_000_000_000n, 0), undefined);
    assert.equal(rates.nanoCores("a", 2_000_000_000n, 2000), 500_000_000);
    assert.equal(rates.nanoCores("a", 2_000_000_000n, 4000), 0);
  });

  it("is not disturbed by somebody who asks a moment later", () => {
    const rates = new CpuRates(500);
    rates.nanoCores("a", 0n, 0);
    assert.equal(rates.nanoCores("a", 1_000_000_000n, 1000), 1_000_000_000);
    assert.equal(rates.nanoCores("a", 1_000_000_001n, 1001), 1_000_000_000);
    assert.equal(rates.nanoCores("a", 5_000_000_000n, 3000), 2_000_000_000);
  });

  it("is unknown again after the counter went back or the entity was forgotten", () => {
    const rates = new CpuRates();
    rates.nanoCores("a", 5_000_000_000n, 0);
    assert.equal(rates.nanoCores("a", 1_000_000_000n, 1000), undefined);
    assert.equal(rates.nanoCores("a", 2_000_000_000n, 2000), 1_000_000_000);
    rates.forget("a");
    assert.equal(rates.nanoCores("a", 3_000_000_000n, 3000), undefined);
  });
});
