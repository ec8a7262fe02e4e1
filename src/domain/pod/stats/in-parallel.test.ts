import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inParallel } from "./in-parallel.ts";

describe("work in parallel", () => {
  it("gives results in the order of the items and never does more at once than allowed", async () => {
    let underWay = 0;
    let most = 0;
    const results = await inParallel([5, 1, 4, 2, 3], 2, async (turns) => {
      underWay += 1;
      most = Math.max(most, underWay);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return turns * 10;
    });
    assert.deepEqual(results, [50, 10, 40, 20, 30]);
    assert.equal(most, 2);
  });

  it("has nothing to do without items", async () => {
    assert.deepEqual(await inParallel([], 4, () => Promise.reject(new Error("never"))), []);
  });
});
