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

it("a hold keeps what is claimed while it lasts, however long that takes and whoever gives the claim up", () => {
  let now = 0;
  const counts = new ReferenceCounts<string>(1000, () => now);
  counts.claim("before");
  const hold = counts.hold();
  const other = counts.hold();
  for (const key of ["failed", "used"]) counts.claim(key);
  now = 5000;
  counts.claim("late");
  assert.deepEqual(
    ["before", "failed", "used"].map((key) => counts.isGarbage(key)),
    [true, false, false],
  );
  counts.retain(["used"]);
  counts.unclaim(["used"]);
  hold[Symbol.dispose]();
  counts.release(["used"]);
  assert.equal(counts.isGarbage("used"), false, "another may have claimed it too");
  other[Symbol.dispose]();
  assert.deepEqual(
    ["failed", "used", "late"].map((key) => counts.isGarbage(key)),
    [true, true, false],
  );
});

it("a claim that means nothing any more is forgotten when a hold ends", () => {
  let now = 0;
  const counts = new ReferenceCounts<string>(1000, () => now);
  counts.claim("failed");
  now = 1001;
  assert.equal(counts.claimed, 1);
  counts.hold()[Symbol.dispose]();
  assert.equal(counts.claimed, 0);
});
