import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import type { OciMount, OciSpec } from "#spec/oci-runtime.ts";
import { narrowed } from "./narrowed.ts";
import type { OwnMount } from "./own-mount.ts";

const own: OwnMount[] = [
  ownMount("/run/berth/rootfs"),
  ownMount("/run/berth/shm"),
  ownMount("/run/ipcns", { given: "/var/run/ipcns" }),
  ownMount("/run/netns", { isPublic: true, given: "/var/run/netns" }),
];

function ownMount(path: string, more: Partial<OwnMount> = {}): OwnMount {
  return { path, given: path, mode: 0o711, isPublic: false, stays: false, ...more };
}

function bind(source: string, ...options: string[]): OciMount {
  return { destination: "/volume", type: "bind", source, options: ["rbind", ...options] };
}

function spec(changes: { mounts?: OciMount[]; hooks?: OciSpec["hooks"]; rootfsPropagation?: string } = {}): OciSpec {
  const { mounts = [], hooks, rootfsPropagation } = changes;
  return {
    root: { path: "/run/berth/rootfs/c1/merged" },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      bind("/run/berth/sandboxes/p1/resolv.conf"),
      bind("/run/berth/shm/p1"),
      ...mounts,
    ],
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "ipc", path: "/var/run/ipcns/p1" },
        { type: "network", path: "/run/netns/p1" },
        { type: "pid", path: "/proc/12/ns/pid" },
      ],
      ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
    },
    ...(hooks === undefined ? {} : { hooks }),
  } as OciSpec;
}

const [root, ipc, net, shm] = [
  "/run/berth/rootfs/c1/merged",
  "/var/run/ipcns/p1",
  "/run/netns/p1",
  "/run/berth/shm/p1",
];
const shown = ["/run/berth/sandboxes/p1/resolv.conf"];
const usual = { without: ["/run/netns"], keep: [root, ipc, net, shm], shown };

describe("a view without the mounts of other pods", () => {
  it("has the container's root, the namespaces and the shared memory of its pod", () => {
    assert.deepEqual(narrowed(spec(), own), usual);
  });

  it("is the same with volumes from elsewhere, those that receive mounts of the host among them", () => {
    const mounts = [bind("/var/lib/kubelet/pods/1"), bind("/run/netns-other", "rslave"), bind("/sys", "rslave")];
    const all = [...shown, "/var/lib/kubelet/pods/1", "/run/netns-other", "/sys"];
    assert.deepEqual(narrowed(spec({ mounts, rootfsPropagation: "rslave" }), own), { ...usual, shown: all });
    assert.deepEqual(narrowed(spec({ hooks: { poststop: [] } }), own), usual);
  });

  for (const source of ["/run/netns", "/var/run/netns", "/run/netns/deep/er", "/", "/run", "/run/x/../../run"])
    it(`has the network namespaces of all, and nothing else of others, when ${source} is a volume`, () => {
      const mounts = [bind(source, "rslave")];
      const all = [...shown, path.normalize(source)];
      const wanted = { without: [], keep: [root, ipc, shm], shown: all };
      assert.deepEqual(narrowed(spec({ mounts }), own), wanted);
    });

  for (const source of ["/run/berth/rootfs", "/run/berth/rootfs/other/merged/etc", "/run/ipcns", "/var/run/ipcns"])
    it(`cannot be had when ${source} is a volume`, () => {
      assert.equal(narrowed(spec({ mounts: [bind(source)] }), own), undefined);
    });

  it("cannot be had by a container whose mounts appear on the host", () => {
    assert.equal(narrowed(spec({ mounts: [bind("/mnt", "rshared")] }), own), undefined);
    assert.equal(narrowed(spec({ rootfsPropagation: "rshared" }), own), undefined);
  });

  it("cannot be had when hooks look around", () => {
    assert.equal(narrowed(spec({ hooks: { createRuntime: [{ path: "/bin/true" }] } }), own), undefined);
  });
});
