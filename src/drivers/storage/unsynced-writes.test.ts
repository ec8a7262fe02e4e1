import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Digest } from "#spec/oci-image.ts";
import { SyncBatch } from "./sync-batch.ts";
import { UnsyncedWrites } from "./unsynced-writes.ts";

/** Keys on a disk whose syncs end when the test says so. */
function example({ syncsEarly = true } = {}) {
  const syncs: PromiseWithResolvers<void>[] = [];
  const forgotten: Digest[] = [];
  const disk = new SyncBatch({
    sync() {
      const sync = Promise.withResolvers<void>();
      syncs.push(sync);
      return sync.promise;
    },
    close: async () => {},
  });
  const forget = (key: Digest): void => void forgotten.push(key);
  return { writes: new UnsyncedWrites(disk, { noun: "layer", syncsEarly, forget }), disk, syncs, forgotten };
}

/** One that is in its place, while others are written. */
function putInPlace(writes: UnsyncedWrites, key: Digest): void {
  using write = writes.begin();
  write.inPlace(key);
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await turn();
  return (await Promise.race([promise, Promise.resolve(pending)]).catch(() => undefined)) !== pending;
}

describe("what no sync has followed", () => {
  it("is synced together when the last write under way has ended", async () => {
    const { writes, syncs } = example();
    const both = [writes.begin(), writes.begin()];
    for (const [index, write] of both.entries()) {
      write.inPlace(`l:${index}`);
      await turn();
      assert.equal(syncs.length, 0);
      write[Symbol.dispose]();
    }
    await turn();
    assert.equal(syncs.length, 1);
    syncs[0]?.resolve();
    await writes.synced(["l:0", "l:1"]);
    assert.equal(syncs.length, 1);
  });

  it("is synced when somebody waits for it, where nobody wants it early, and not when a sync has begun since", async () => {
    const { writes, disk, syncs } = example({ syncsEarly: false });
    putInPlace(writes, "b:1");
    await turn();
    assert.equal(syncs.length, 0);
    const other = disk.sync();
    await turn();
    const synced = writes.synced();
    syncs[0]?.resolve();
    await Promise.all([other, synced]);
    assert.equal(syncs.length, 1);
    putInPlace(writes, "b:2");
    void writes.synced();
    await turn();
    assert.equal(syncs.length, 2);
  });

  it("waits for another sync when it is written to while one is under way", async () => {
    const { writes, syncs } = example();
    putInPlace(writes, "l:1");
    const first = writes.synced(["l:1"]);
    await turn();
    putInPlace(writes, "l:1");
    const second = writes.synced(["l:1"]);
    syncs[0]?.resolve();
    await first;
    assert.equal(await isSettled(second), false);
    syncs[1]?.resolve();
    await second;
  });
});

describe("a sync that fails", () => {
  it("loses what waited for it and what was put in its place meanwhile, although the next sync succeeds", async () => {
    const { writes, syncs, forgotten } = example();
    putInPlace(writes, "l:1");
    await turn();
    putInPlace(writes, "l:2");
    const all = (["l:1", "l:2"] as const).map((key) => writes.synced([key]));
    const failures = all.map((synced) =>
      assert.rejects(synced, { kind: "data-loss", message: /could not be synced.*EIO/ }),
    );
    syncs[0]?.reject(new Error("EIO"));
    await turn();
    syncs[1]?.resolve();
    await Promise.all(failures);
    assert.deepEqual(forgotten, ["l:1", "l:2"]);
  });

  it("loses the writes under way, and those only", async () => {
    const { writes, syncs } = example();
    using before = writes.begin();
    putInPlace(writes, "l:1");
    const failure = assert.rejects(writes.synced(), { kind: "data-loss" });
    await turn();
    syncs[0]?.reject(new Error("EIO"));
    await failure;
    using after = writes.begin();
    assert.throws(() => before.inPlace("l:2"), {
      kind: "data-loss",
      message: /^layer l:2 could not be synced to disk: EIO/,
    });
    after.inPlace("l:3");
    const synced = writes.synced(["l:3"]);
    await turn();
    syncs[1]?.resolve();
    await synced;
  });

  it("loses all that is unsynced when it was begun for something else", async () => {
    const { writes, disk, syncs, forgotten } = example({ syncsEarly: false });
    putInPlace(writes, "b:1");
    const other = assert.rejects(disk.sync(), /EIO/);
    await turn();
    syncs[0]?.reject(new Error("EIO"));
    await other;
    assert.deepEqual(forgotten, ["b:1"]);
  });

  it("loses nothing that an earlier one has made safe", async () => {
    const { writes, disk, syncs, forgotten } = example();
    putInPlace(writes, "l:1");
    const synced = writes.synced(["l:1"]);
    await turn();
    syncs[0]?.resolve();
    await synced;
    const failed = assert.rejects(disk.sync(), /EIO/);
    await turn();
    syncs[1]?.reject(new Error("EIO"));
    await failed;
    await writes.synced(["l:1"]);
    assert.deepEqual(forgotten, []);
  });

  it("is met early while a large layer is unpacked, and loses it", async () => {
    const { writes, syncs, forgotten } = example();
    using write = writes.begin();
    putInPlace(writes, "l:1");
    write.progress(1024 * 1024);
    await turn();
    assert.equal(syncs.length, 0);
    write.progress(17 * 1024 * 1024);
    await turn();
    assert.equal(syncs.length, 1);
    syncs[0]?.reject(new Error("EIO"));
    await turn();
    assert.throws(() => write.inPlace("l:2"), { kind: "data-loss" });
    assert.deepEqual(forgotten, ["l:1"]);
  });
});
