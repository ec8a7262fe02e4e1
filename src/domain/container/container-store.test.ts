import assert from "node:assert/strict";
import { it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import { ContainerStore } from "./container-store.ts";

it("the containers of a sandbox are found by it for as long as they are there", async () => {
  const store = new ContainerStore(noRecords());
  const one = await store.put(exampleContainer({ id: "one", sandboxId: "pod" }));
  await store.put(exampleContainer({ id: "elsewhere", sandboxId: "other" }));
  const changed = await store.update(one.id, (current) => ({ ...current, logPath: "/log" }));
  assert.deepEqual(store.index.ofSandbox("pod"), [changed]);
  await store.delete(one.id);
  assert.deepEqual(store.index.ofSandbox("pod"), []);
});
