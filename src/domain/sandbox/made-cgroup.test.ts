import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { madeCgroupOf, makeCgroup, releaseMadeCgroup } from "./made-cgroup.ts";
import { SandboxStore } from "./sandbox-store.ts";
import type { Sandbox } from "./sandbox.ts";

const parent = "/shared/pods";
const made = "/shared";

describe("a parent cgroup that berth has made", () => {
  let store: SandboxStore;
  let removed: string[];
  let calls: string[];
  let missing: string | undefined;
  const drivers = () => ({
    store,
    cgroups: {
      missingParent: () => missing,
      createParent: async () => void calls.push("made"),
      removeParent: async (path: string, uppermost: string) => {
        await new Promise((resolve) => setImmediate(resolve));
        removed.push(`${path} from ${uppermost}`);
        calls.push("removed");
      },
    },
  });

  beforeEach(() => {
    removed = [];
    calls = [];
    missing = undefined;
    store = new SandboxStore({
      load: async () => ({ records: [], corrupt: [] }),
      put: async () => {},
      remove: async () => {},
      close: async () => {},
    });
  });

  function pod(id: string, changes: Partial<Sandbox> = {}): Sandbox {
    const sandbox = exampleSandbox({ id: id.repeat(64), cgroupParent: parent, madeCgroup: made, ...changes });
    store.adopt({ ...sandbox, request: { ...sandbox.request, metadata: { ...sandbox.request.metadata, name: id } } });
    return sandbox;
  }

  it("is taken away with the last pod in it, not with the one that it was made for", async () => {
    const first = pod("a");
    const second = pod("b", { madeCgroup: madeCgroupOf(drivers(), parent) ?? "none" });
    await releaseMadeCgroup(drivers(), first);
    assert.deepEqual(removed, []);
    await store.delete(first.id);
    await releaseMadeCgroup(drivers(), second);
    assert.deepEqual(removed, [`${parent} from ${made}`]);
  });

  it("is not left to each other by pods that go at the same time", async () => {
    const creating = { kind: "creating" } as const;
    const pods = [
      pod("a", { state: { kind: "removing" } }),
      pod("b", { state: creating }),
      pod("c", { state: creating }),
    ];
    await Promise.all(pods.map((one) => releaseMadeCgroup(drivers(), one)));
    assert.ok(removed.length > 0);
  });

  it("stays for a pod that is being made", async () => {
    const last = pod("a", { state: { kind: "removing" } });
    const next = pod("b", { state: { kind: "creating" } });
    await releaseMadeCgroup(drivers(), last);
    assert.deepEqual(removed, []);
    await releaseMadeCgroup(drivers(), next);
    assert.equal(removed.length, 1);
  });

  it("is there for a pod that comes while it is taken away", async () => {
    const last = pod("a", { state: { kind: "removing" } });
    const releasing = releaseMadeCgroup(drivers(), last);
    await Promise.all([releasing, makeCgroup(drivers(), pod("b", { state: { kind: "creating" } }))]);
    assert.equal(calls.at(-1), "made");
  });

  it("is not the business of a pod in another one, nor of one whose parent was there", async () => {
    pod("a");
    assert.equal(madeCgroupOf(drivers(), "/kubepods/pod1"), undefined);
    assert.equal(madeCgroupOf(drivers(), ""), undefined);
    const { madeCgroup: _none, ...kubelets } = pod("b", { cgroupParent: "/kubepods/pod1" });
    await releaseMadeCgroup(drivers(), kubelets);
    assert.deepEqual(removed, []);
    missing = "/kubepods";
    assert.equal(madeCgroupOf(drivers(), "/kubepods/pod2"), "/kubepods");
  });
});
