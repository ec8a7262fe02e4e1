import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChainId } from "./index.ts";
import { UnsyncedLayers } from "./unsynced-layers.ts";

const one: ChainId = "sha256:1";
const other: ChainId = "sha256:2";

/** Layers on a disk whose syncs end when the test says so. */
function exampleLayers() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const forgotten: ChainId[] = [];
  const disk = {
    sync() {
      const sync = Promise.withResolvers<void>();
      syncs.push(sync);
      return sync.promise;
    },
  };
  return { layers: new UnsyncedLayers(disk, (chainId) => forgotten.push(chainId)), syncs, forgotten };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe("layers that no sync has followed", () => {
  it("are synced together when the last of those under way has ended", async () => {
    const { layers, syncs } = exampleLayers();
    const writes = [layers.begin(), layers.begin()];
    for (const [index, chainId] of [one, other].entries()) {
      layers.add(chainId);
      assert.equal(syncs.length, 0);
      writes[index]?.[Symbol.dispose]();
    }
    assert.equal(syncs.length, 1);
    syncs[0]?.resolve();
    await layers.synced([one, other]);
    assert.equal(syncs.length, 1);
  });

  it("wait for another sync when they are written to while one is under way", async () => {
    const { layers, syncs } = exampleLayers();
    layers.add(one);
    const first = layers.synced([one]);
    layers.add(one);
    const second = layers.synced([one]);
    syncs[0]?.resolve();
    await first;
    assert.equal(await isSettled(second), false);
    syncs[1]?.resolve();
    await second;
  });

  it("are lost when the sync fails, and only those", async () => {
    const { layers, syncs, forgotten } = exampleLayers();
    layers.add(one);
    const synced = layers.synced([one]);
    layers.add(other);
    syncs[0]?.reject(new Error("EIO"));
    await assert.rejects(synced, { kind: "data-loss", message: /sha256:1 could not be synced to disk: EIO/ });
    assert.deepEqual(forgotten, [one]);
  });

  it("are lost, with those under way, when the disk fails to write while a large one is unpacked", async () => {
    const { layers, syncs, forgotten } = exampleLayers();
    layers.add(one);
    using write = layers.begin();
    write.progress(1024 * 1024);
    assert.equal(syncs.length, 0);
    write.progress(17 * 1024 * 1024);
    assert.equal(syncs.length, 1);
    write.check(other);
    syncs[0]?.reject(new Error("EIO"));
    await isSettled(Promise.resolve());
    assert.throws(() => write.check(other), { kind: "data-loss" });
    assert.deepEqual(forgotten, [one]);
  });
});
