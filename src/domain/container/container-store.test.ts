import assert from "node:assert/strict";
import { it } from "node:test";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { ContainerStore } from "./container-store.ts";

it("a container that is being removed is not brought back by a change of its limits", async () => {
  const onDisk = new Set<string>();
  // One write after the other, none at once.
  const writes = new KeyedMutex<"disk">();
  const write = (change: () => unknown): Promise<void> =>
    writes.run("disk", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      change();
    });
  const store = new ContainerStore({
    load: async () => ({ records: [], corrupt: [] }),
    put: (id) => write(() => onDisk.add(id)),
    remove: (id) => write(() => onDisk.delete(id)),
    close: async () => {},
  });
  const container = await store.put(exampleContainer());
  const removing = store.delete(container);
  await Promise.all([removing, store.update(container.id, (current) => ({ ...current, resources: undefined }))]);
  assert.deepEqual([store.index.all(), store.ofSandbox(container.sandboxId), [...onDisk]], [[], [], []]);
});
