import assert from "node:assert/strict";
import { it } from "node:test";
import { ReferenceCounts } from "./reference-counts.ts";

it("a key is garbage when the last reference to it is gone", () => {
  const counts = new ReferenceCounts<string>(1000);
  counts.retain(["a", "b"]);
  counts.retain(["a"]);
  counts.release(["a", "b"]);
  assert.deepEqual([counts.isGarbage("a"), counts.isGarbage("b"), counts.isGarbage("never")], [false, true, true]);
  counts.release(["a"]);
  assert.equal(counts.isGarbage("a"), true);
});

it("a claim keeps a key for its time, and no longer when it is given up", () => {
  let now = 0;
  const counts = new ReferenceCounts<string>(1000, () => now);
  counts.claim("a");
  counts.claim("b");
  counts.unclaim(["b"]);
  assert.deepEqual([counts.isGarbage("a"), counts.isGarbage("b")], [false, true]);
  now = 1001;
  assert.equal(counts.isGarbage("a"), true);
});
