import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unifiedByAnnotation } from "./unified-annotation.ts";

describe("a pod's annotation for the cgroup of a container", () => {
  it("names files and values, by either of its keys", () => {
    const expected = { "memory.high": "1000", "io.weight": "default 50" };
    for (const key of ["unified-cgroup.crio.io/app", "io.kubernetes.cri-o.UnifiedCgroup.app"])
      assert.deepEqual(unifiedByAnnotation({ [key]: "memory.high=1000; io.weight=default 50;" }, "app"), expected, key);
  });

  it("is for that container alone", () => {
    assert.deepEqual(unifiedByAnnotation({ "unified-cgroup.crio.io/app": "memory.high=1" }, "other"), {});
  });

  it("is refused when a part of it is no file and value", () => {
    for (const text of ["memory.high", "../escape=1", "a.b=", "plain=1"])
      assert.throws(() => unifiedByAnnotation({ "unified-cgroup.crio.io/app": text }, "app"), {
        kind: "invalid-argument",
        message: /no file=value/,
      });
  });
});
