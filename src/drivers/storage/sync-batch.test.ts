import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { SyncBatch } from "./sync-batch.ts";

describe("SyncBatch", () => {
  it("begins a sync for what was written after the last one began, and for nothing else", async () => {
    const disk = await SyncBatch.open(tmpdir());
    const before = disk.mark();
    await disk.sync();
    const after = disk.mark();
    assert.notEqual(after, before);
    await disk.reached(before);
    assert.equal(disk.mark(), after);
    await disk.reached(after);
    assert.notEqual(disk.mark(), after);
    await disk.close();
  });

  it("waits for a sync that runs and covers what was written", async () => {
    const disk = await SyncBatch.open(tmpdir());
    const mark = disk.mark();
    let isDone = false;
    const sync = disk.sync().then(() => (isDone = true));
    await disk.reached(mark);
    await sync;
    assert.ok(isDone);
    assert.equal(disk.mark(), mark + 1);
    await disk.close();
  });
});
