import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import { type SelinuxInputs, selinuxLabels } from "./selinux-labels.ts";

const namespaces = { network: "pod", pid: "container", ipc: "pod", targetId: "", userns: undefined } as const;
const plain: SelinuxInputs = {
  facts: { ...exampleHostFacts().selinux, enabled: true },
  options: undefined,
  namespaces,
  privileged: false,
  hostNetworkDisables: true,
  level: "s0:c1,c2",
};
const fileLabel = "system_u:object_r:container_file_t:s0:c1,c2";

describe("SELinux labels", () => {
  it("are the policy's with the pod's level", () => {
    assert.deepEqual(selinuxLabels(plain), {
      processLabel: "system_u:system_r:container_t:s0:c1,c2",
      mountLabel: fileLabel,
    });
  });

  it("take the parts that the request names", () => {
    const options = { user: "", role: "", type: "spc_t", level: "s0:c7,c8" };
    assert.deepEqual(selinuxLabels({ ...plain, options }), {
      processLabel: "system_u:system_r:spc_t:s0:c7,c8",
      mountLabel: "system_u:object_r:container_file_t:s0:c7,c8",
    });
  });

  it("have types of their own for virtual machines and systemd", () => {
    assert.match(selinuxLabels({ ...plain, kind: "kvm" }).processLabel, /:container_kvm_t:/);
    assert.match(selinuxLabels({ ...plain, kind: "init" }).processLabel, /:container_init_t:/);
  });

  const unconfined: Partial<SelinuxInputs>[] = [
    { privileged: true },
    { namespaces: { ...namespaces, pid: "node" } },
    { namespaces: { ...namespaces, ipc: "node" } },
    { namespaces: { ...namespaces, network: "node" } },
  ];
  for (const changes of unconfined)
    it(`confine no process with ${JSON.stringify(changes)}`, () => {
      assert.deepEqual(selinuxLabels({ ...plain, ...changes }), { processLabel: "", mountLabel: fileLabel });
    });

  it("confine on the host's network when configured so", () => {
    const changes = { namespaces: { ...namespaces, network: "node" as const }, hostNetworkDisables: false };
    assert.notEqual(selinuxLabels({ ...plain, ...changes }).processLabel, "");
  });

  it("are empty where SELinux is off", () => {
    const facts = { ...plain.facts, enabled: false };
    assert.deepEqual(selinuxLabels({ ...plain, facts }), { processLabel: "", mountLabel: "" });
  });
});
