import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleContainer, exampleNode, exited } from "./stats-example.ts";
import { WritableLayers } from "./writable-layers.ts";

describe("the size of a writable layer", () => {
  it("is unknown until it was measured, which asking for it causes", async () => {
    const { drivers, measured } = exampleNode();
    const layers = new WritableLayers(drivers, 60_000);
    const container = exampleContainer("a");
    assert.equal(layers.usage(container), undefined);
    await layers.measure(container);
    assert.equal(layers.usage(container)?.usedBytes, 4096);
    assert.deepEqual(measured, ["a"]);
  });

  it("stays as it was while a new measurement is under way or fails", async () => {
    const { drivers, layers: sizes } = exampleNode();
    const layers = new WritableLayers(drivers, 0);
    const container = exampleContainer("a");
    await layers.measure(container);
    sizes.delete("a");
    assert.equal(layers.usage(container)?.usedBytes, 4096);
    await layers.measure(container);
    assert.equal(layers.usage(container)?.usedBytes, 4096);
  });

  it("is measured once more after the container has ended, and then never again", async () => {
    const { drivers, measured, containers } = exampleNode();
    const layers = new WritableLayers(drivers, 0);
    await layers.measure(exampleContainer("a"));
    const ended = exampleContainer("a", { state: exited });
    containers.adopt(ended);
    layers.usage(ended);
    await layers.measure(ended);
    layers.usage(ended);
    assert.deepEqual(measured, ["a", "a"]);
  });

  it("is measured for one container at a time", async () => {
    const node = exampleNode();
    let underWay = 0;
    let most = 0;
    const rootfsUsage = async (): Promise<{ usedBytes: number; inodesUsed: number }> => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return { usedBytes: 1, inodesUsed: 1 };
    };
    const layers = new WritableLayers({ ...node.drivers, storage: { containerRoot: "/c", rootfsUsage } }, 0);
    await Promise.all(["a", "b"].map((id) => layers.measure(exampleContainer(id))));
    assert.equal(most, 1);
  });

  it("is not kept of a container that was removed while it was measured", async () => {
    const node = exampleNode();
    const container = exampleContainer("a");
    const size = Promise.withResolvers<{ usedBytes: number; inodesUsed: number }>();
    const storage = { containerRoot: "/c", rootfsUsage: () => size.promise };
    const layers = new WritableLayers({ ...node.drivers, storage }, 60_000);
    const measuring = layers.measure(container);
    await node.containers.delete(container.id);
    size.resolve({ usedBytes: 1, inodesUsed: 1 });
    await measuring;
    assert.equal(layers.usage(container), undefined);
  });
});
