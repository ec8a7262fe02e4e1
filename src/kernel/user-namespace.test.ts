import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { it } from "node:test";
import { run } from "#kernel/spawn.ts";
import { holdUserNamespace } from "#kernel/user-namespace.ts";
import { withoutDescriptors } from "#kernel/without-descriptors.ts";

it("a user namespace for which there are too few descriptors keeps none of them", async () => {
  // What it leaves open for all that are started later.
  await run(["/bin/true"]);
  const held = (): number => readdirSync("/proc/self/fd").length;
  const before = held();
  for (const spare of [0, 1, 2, 3]) {
    const holding = withoutDescriptors(() => holdUserNamespace(["net"], { uids: [], gids: [] }), spare);
    await assert.rejects(holding, { code: "EMFILE" });
    assert.equal(held(), before, `${spare} descriptors were free`);
  }
});
