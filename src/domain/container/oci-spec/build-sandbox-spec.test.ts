import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import { podNamespaces } from "../request-example.ts";
import { buildSandboxSpec, type SandboxSpecInputs } from "./build-sandbox-spec.ts";
import { examplePolicy, exampleSandboxFacts } from "./inputs-example.ts";

function inputs(): SandboxSpecInputs {
  return {
    host: exampleHostFacts(),
    policy: examplePolicy(),
    sandbox: exampleSandboxFacts(),
    infra: {
      name: "k8s_POD_web_default_a1b2_0",
      createdAt: new Date(0),
      command: [],
      imageConfig: {
        config: { Entrypoint: ["/pause"], User: "65535:65535" },
        rootfs: { type: "layers", diff_ids: [] },
      },
      rootfs: { path: "/rootfs", passwd: "", group: "" },
      provided: [],
      cpuset: "0",
      seccompText: undefined,
    },
  };
}

describe("the infra container", () => {
  const { spec } = buildSandboxSpec(inputs());

  it("runs what the pause image says, on a read-only root, with little CPU and late to be killed", () => {
    assert.deepEqual(spec.process.args, ["/pause"]);
    assert.equal(spec.process.user.uid, 65_535);
    assert.equal(spec.root.readonly, true);
    assert.equal(spec.process.oomScoreAdj, -998);
    assert.deepEqual(spec.linux.resources?.cpu, { shares: 2, cpus: "0" });
    assert.equal(spec.linux.cgroupsPath, `/kubepods/web/crio-${"5a".repeat(32)}`);
  });

  it("joins the pod's namespaces and makes the PID namespace", () => {
    assert.deepEqual(
      spec.linux.namespaces.map(({ type, path }) => path ?? type),
      ["mount", "pid", "/run/netns/web", "/run/ipcns/web", "/run/utsns/web", "cgroup"],
    );
  });

  it("uses the host's PID namespace with the pod", () => {
    const hostPid = inputs();
    hostPid.sandbox.request.linux.securityContext.namespaceOptions = { ...podNamespaces, pid: "node" };
    const types = buildSandboxSpec(hostPid).spec.linux.namespaces.map(({ type }) => type);
    assert.equal(types.includes("pid"), false);
  });

  it("can be given another command", () => {
    const other = inputs();
    other.infra.command = ["/bin/sleep", "inf"];
    assert.deepEqual(buildSandboxSpec(other).spec.process.args, ["/bin/sleep", "inf"]);
  });

  it("accepts a pod that names a group without a user", () => {
    const group = inputs();
    group.sandbox.request.linux.securityContext.runAsGroup = 5;
    assert.equal(buildSandboxSpec(group).spec.process.user.gid, 65_535);
  });
});
