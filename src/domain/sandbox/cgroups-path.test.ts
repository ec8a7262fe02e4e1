import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cgroupsPath } from "./cgroups-path.ts";

describe("the cgroup of a container", () => {
  it("is a scope below the pod's slice with systemd", () => {
    assert.equal(cgroupsPath("systemd", "/kubepods.slice/kubepods-pod1.slice", "id"), "kubepods-pod1.slice:crio:id");
    assert.equal(cgroupsPath("systemd", "", "id"), "system.slice:crio:id");
  });

  it("is a directory below the pod's with cgroupfs", () => {
    assert.equal(cgroupsPath("cgroupfs", "/kubepods/pod1", "id"), "/kubepods/pod1/crio-id");
    assert.equal(cgroupsPath("cgroupfs", "", "id"), "/crio/crio-id");
  });

  for (const [manager, parent] of [
    ["systemd", "/kubepods/pod1"],
    ["cgroupfs", "kubepods.slice"],
    ["cgroupfs", "relative"],
    ["cgroupfs", "/kubepods/../../other"],
  ] as const)
    it(`is refused for the parent ${parent} with ${manager}`, () => {
      assert.throws(() => cgroupsPath(manager, parent, "id"), { kind: "invalid-argument", message: /cgroup driver/ });
    });
});
