import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import type { CdiEdits } from "#drivers/security/index.ts";
import { buildContainerSpec } from "./build-container-spec.ts";
import { applyCdiEdits, cdiDeviceNames } from "./cdi-edits.ts";
import { exampleInputs } from "./inputs-example.ts";

const edits: CdiEdits = {
  env: ["GPU=0", "PATH=/gpu/bin"],
  mounts: [{ hostPath: "/usr/lib/gpu", containerPath: "/usr/lib/gpu", type: "bind", options: ["ro", "rbind"] }],
  devices: [
    {
      path: "/dev/gpu0",
      type: "c",
      major: 195,
      minor: 0,
      fileMode: 0o666,
      uid: undefined,
      gid: undefined,
      permissions: "rw",
    },
  ],
  hooks: [{ hookName: "createContainer", path: "/usr/bin/gpu-hook", args: ["gpu-hook"], env: [], timeoutSeconds: 5 }],
  additionalGids: [44],
  intelRdtClosId: "gold",
};

describe("CDI edits", () => {
  const { spec } = buildContainerSpec(exampleInputs(exampleHostFacts()));
  const edited = applyCdiEdits(spec, edits);

  it("replace variables of the same name and add the others", () => {
    assert.deepEqual(
      edited.process.env.filter((entry) => /^(PATH|GPU)=/.test(entry)),
      ["GPU=0", "PATH=/gpu/bin"],
    );
  });

  it("add the device and a rule that lets it be used", () => {
    assert.deepEqual(edited.linux.devices, [{ path: "/dev/gpu0", type: "c", major: 195, minor: 0, fileMode: 0o666 }]);
    const rules = edited.linux.resources?.devices ?? [];
    assert.deepEqual(rules.at(-1), { allow: true, type: "c", major: 195, minor: 0, access: "rw" });
  });

  it("add mounts, hooks, groups and the class of Intel RDT", () => {
    assert.equal(edited.mounts.at(-1)?.destination, "/usr/lib/gpu");
    assert.deepEqual(edited.hooks?.createContainer, [{ path: "/usr/bin/gpu-hook", args: ["gpu-hook"], timeout: 5 }]);
    assert.deepEqual(edited.process.user.additionalGids, [0, 44]);
    assert.deepEqual(edited.linux.intelRdt, { closID: "gold" });
  });

  it("leave the spec that they are applied to as it was", () => {
    assert.deepEqual(spec, buildContainerSpec(exampleInputs(exampleHostFacts())).spec);
  });

  it("with an unknown hook are refused", () => {
    const hook = { hookName: "preStart", path: "/x", args: [], env: [], timeoutSeconds: undefined };
    assert.throws(() => applyCdiEdits(spec, { ...edits, hooks: [hook] }), { kind: "invalid-argument" });
  });
});

describe("CDI device names", () => {
  it("come from the field and from annotations, each once", () => {
    const names = cdiDeviceNames({
      cdiDevices: ["v.com/gpu=0"],
      annotations: { "cdi.k8s.io/plugin": "v.com/gpu=0, v.com/gpu=1", "example.com/x": "v.com/gpu=2" },
    });
    assert.deepEqual(names, ["v.com/gpu=0", "v.com/gpu=1"]);
  });
});
