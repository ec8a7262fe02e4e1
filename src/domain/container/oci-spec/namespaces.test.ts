import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podNamespaces } from "../request-example.ts";
import { buildNamespaces, type NamespaceInputs, userNamespaceMaps } from "./namespaces.ts";

const plain: NamespaceInputs = {
  options: podNamespaces,
  sandbox: { network: "/ns/net", ipc: "/ns/ipc", uts: "/ns/uts" },
  privileged: false,
  cgroupVersion: 2,
};
const userns = {
  mode: "pod" as const,
  uids: [{ hostId: 65_536, containerId: 0, length: 65_536 }],
  gids: [{ hostId: 131_072, containerId: 0, length: 65_536 }],
};

function types(inputs: NamespaceInputs): string {
  return buildNamespaces(inputs)
    .map(({ type, path }) => (path === undefined ? type : `${type}=${path}`))
    .join(" ");
}

describe("namespaces", () => {
  const cases: [name: string, changes: Partial<NamespaceInputs>, expected: string][] = [
    ["are the pod's, and a PID namespace of its own", {}, "mount pid network=/ns/net ipc=/ns/ipc uts=/ns/uts cgroup"],
    [
      "have no cgroup namespace with cgroup v1",
      { cgroupVersion: 1 },
      "mount pid network=/ns/net ipc=/ns/ipc uts=/ns/uts",
    ],
    [
      "have no cgroup namespace when privileged",
      { privileged: true },
      "mount pid network=/ns/net ipc=/ns/ipc uts=/ns/uts",
    ],
    [
      "are the host's where asked for",
      { options: { ...podNamespaces, network: "node", pid: "node", ipc: "node" } },
      "mount uts=/ns/uts cgroup",
    ],
    [
      "join the pod's PID namespace",
      { options: { ...podNamespaces, pid: "pod" }, sandbox: { ...plain.sandbox, pid: "/ns/pid" } },
      "mount pid=/ns/pid network=/ns/net ipc=/ns/ipc uts=/ns/uts cgroup",
    ],
    [
      "join a target container's PID namespace",
      { options: { ...podNamespaces, pid: "target", targetId: "other" }, targetPidPath: "/proc/7/ns/pid" },
      "mount pid=/proc/7/ns/pid network=/ns/net ipc=/ns/ipc uts=/ns/uts cgroup",
    ],
    [
      "join the pod's user namespace",
      { options: { ...podNamespaces, userns }, sandbox: { ...plain.sandbox, user: "/ns/user" } },
      "mount pid network=/ns/net ipc=/ns/ipc uts=/ns/uts user=/ns/user cgroup",
    ],
    [
      "are without a user namespace for mode node",
      { options: { ...podNamespaces, userns: { ...userns, mode: "node" } } },
      "mount pid network=/ns/net ipc=/ns/ipc uts=/ns/uts cgroup",
    ],
  ];
  for (const [name, changes, expected] of cases)
    it(name, () => assert.equal(types({ ...plain, ...changes }), expected));

  it("are an error when the one to join is missing", () => {
    const missing: Partial<NamespaceInputs>[] = [
      { sandbox: { ipc: "/ns/ipc" } },
      { options: { ...podNamespaces, pid: "pod" } },
      { options: { ...podNamespaces, pid: "target", targetId: "gone" } },
      { options: { ...podNamespaces, userns } },
    ];
    for (const changes of missing)
      assert.throws(() => buildNamespaces({ ...plain, ...changes }), { kind: "failed-precondition" });
  });
});

describe("user namespace maps", () => {
  it("are as the kubelet gives them", () => {
    assert.deepEqual(userNamespaceMaps({ ...podNamespaces, userns }), {
      uids: [{ containerID: 0, hostID: 65_536, size: 65_536 }],
      gids: [{ containerID: 0, hostID: 131_072, size: 65_536 }],
    });
    assert.deepEqual(userNamespaceMaps(podNamespaces), { uids: [], gids: [] });
  });

  it("must be given for users and groups, and not be empty", () => {
    const broken = [
      { ...userns, gids: [] },
      { ...userns, uids: [{ hostId: 1, containerId: 0, length: 0 }] },
    ];
    for (const one of broken)
      assert.throws(() => userNamespaceMaps({ ...podNamespaces, userns: one }), { kind: "invalid-argument" });
  });
});
