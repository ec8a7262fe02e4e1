import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settleAll } from "./settle.ts";

describe("settling all", () => {
  it("gives what each promise gave, in their order", async () => {
    assert.deepEqual(await settleAll([Promise.resolve(1), "two"]), [1, "two"]);
  });

  it("rejects when all have ended, with the failure", async () => {
    const failure = new Error("no");
    const slow = Promise.withResolvers<void>();
    let rejected = false;
    const all = settleAll([Promise.reject(failure), slow.promise]).catch((error: unknown) => {
      rejected = true;
      return error;
    });
    await new Promise(setImmediate);
    assert.equal(rejected, false);
    slow.resolve();
    assert.equal(await all, failure);
  });

  it("tells several failures together, and one that several share once", async () => {
    const [one, other] = [new Error("one"), new Error("other")];
    await assert.rejects(settleAll([Promise.reject(one), Promise.reject(other)]), { errors: [one, other] });
    const shared = Promise.reject(one);
    await assert.rejects(settleAll([shared, shared.then(() => 1)]), one);
  });
});
