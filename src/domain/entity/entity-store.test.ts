import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { EntityIndex } from "./entity-index.ts";
import { EntityStore } from "./entity-store.ts";
import { noRecords } from "./no-records.ts";

interface Thing {
  id: string;
  steps: readonly string[];
}

describe("the store of entities", () => {
  const onDisk = new Map<string, Thing>();
  // One write after the other, none at once.
  const writes = new KeyedMutex<"disk">();
  const write = (change: () => unknown): Promise<void> =>
    writes.run("disk", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      change();
    });
  const newStore = (put = (id: string, thing: Thing) => write(() => onDisk.set(id, thing))): EntityStore<Thing> =>
    new EntityStore(
      noRecords<Thing>({ put, remove: (id) => write(() => onDisk.delete(id)) }),
      new EntityIndex("thing", ({ id }) => id),
    );
  const withStep = (step: string) => (thing: Thing) => ({ ...thing, steps: [...thing.steps, step] });

  it("does not bring one that is being removed back by a change of it", async () => {
    const store = newStore();
    await store.put({ id: "a", steps: [] });
    const removing = store.delete("a");
    assert.equal(await store.update("a", withStep("late")), undefined);
    await removing;
    assert.deepEqual([store.index.all(), [...onDisk]], [[], []]);
  });

  it("makes changes that are asked for at the same time one after the other, and forgets none", async () => {
    const store = newStore();
    await store.put({ id: "a", steps: [] });
    await Promise.all(["one", "two", "three"].map((step) => store.update("a", withStep(step))));
    assert.deepEqual(store.index.get("a").steps, ["one", "two", "three"]);
    assert.deepEqual(onDisk.get("a"), store.index.get("a"));
  });

  it("keeps one as it is where there is nothing to change, and says how that is", async () => {
    const store = newStore();
    const thing = await store.put({ id: "a", steps: [] });
    assert.equal(await store.update("a", () => undefined), thing);
  });

  it("does not say what could not be written", async () => {
    const store = newStore(() => Promise.reject(new Error("no space left on device")));
    store.adopt({ id: "a", steps: [] });
    await assert.rejects(store.update("a", withStep("one")), /no space left/);
    assert.deepEqual(store.index.get("a").steps, []);
  });
});
