import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { parentGroups } from "#drivers/cgroup/parent-groups.ts";
import { madeCgroupOf, makeCgroup, releaseMadeCgroup } from "./made-cgroup.ts";
import { SandboxStore } from "./sandbox-store.ts";
import type { Sandbox } from "./sandbox.ts";

const removing = { state: { kind: "removing" } } as const;
const creating = { state: { kind: "creating" } } as const;

describe("a parent cgroup that berth has made", () => {
  let root: string;
  let store: SandboxStore;
  const drivers = () => ({ store, cgroups: parentGroups({ version: 2, mountPoints: new Map([["", root]]) }) });

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "berth-made-cgroup-"));
    store = new SandboxStore(noRecords());
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const isThere = (group: string): boolean => existsSync(path.join(root, group));

  /** A pod with its record, as it is before its parent is made. */
  function recorded(id: string, cgroupParent: string, changes: Partial<Sandbox> = {}): Sandbox {
    const madeCgroup = madeCgroupOf(drivers(), cgroupParent);
    const sandbox = exampleSandbox({
      id: id.repeat(64),
      cgroupParent,
      ...(madeCgroup === undefined ? {} : { madeCgroup }),
      ...changes,
    });
    store.adopt({ ...sandbox, request: { ...sandbox.request, metadata: { ...sandbox.request.metadata, name: id } } });
    return sandbox;
  }

  async function pod(id: string, cgroupParent: string, changes: Partial<Sandbox> = {}): Promise<Sandbox> {
    const sandbox = recorded(id, cgroupParent, changes);
    await makeCgroup(drivers(), sandbox);
    return sandbox;
  }

  async function remove(sandbox: Sandbox): Promise<void> {
    await releaseMadeCgroup(drivers(), sandbox);
    await store.delete(sandbox.id);
  }

  it("is taken away with the last pod in it, not with the one that it was made for", async () => {
    const first = await pod("a", "/shared/pods");
    const second = await pod("b", "/shared/pods");
    await remove(first);
    assert.ok(isThere("/shared/pods"));
    await remove(second);
    assert.ok(!isThere("/shared"));
  });

  it("is not left to each other by pods that go at the same time", async () => {
    const pods = [
      await pod("a", "/shared/pods", removing),
      await pod("b", "/shared/pods", creating),
      await pod("c", "/shared/pods", creating),
    ];
    await Promise.all(pods.map((one) => releaseMadeCgroup(drivers(), one)));
    assert.ok(!isThere("/shared"));
  });

  it("stays for a pod that is being made", async () => {
    const last = await pod("a", "/shared/pods", removing);
    const next = await pod("b", "/shared/pods", creating);
    await remove(last);
    assert.ok(isThere("/shared/pods"));
    await remove(next);
    assert.ok(!isThere("/shared"));
  });

  it("is there for a pod that comes while it is taken away", async () => {
    const last = await pod("a", "/shared/pods", removing);
    const releasing = releaseMadeCgroup(drivers(), last);
    await Promise.all([releasing, pod("b", "/shared/pods", creating)]);
    assert.ok(isThere("/shared/pods"));
  });

  it("stays for a pod whose parent lies in it, and is taken away with that pod", async () => {
    const upper = await pod("a", "/shared", removing);
    const lower = await pod("b", "/shared/pods", creating);
    mkdirSync(path.join(root, "shared/left-by-a"));
    await remove(upper);
    assert.ok(isThere("/shared/pods"));
    assert.ok(!isThere("/shared/left-by-a"));
    await remove(lower);
    assert.ok(!isThere("/shared"));
  });

  it("stays for a pod that has the group above as its parent, and is taken away with that pod", async () => {
    const lower = await pod("a", "/shared/pods", removing);
    const upper = await pod("b", "/shared", creating);
    await remove(lower);
    assert.ok(isThere("/shared"));
    assert.ok(!isThere("/shared/pods"));
    await remove(upper);
    assert.ok(!isThere("/shared"));
  });

  it("is taken away as a whole with the last of those whose parents lie beside each other", async () => {
    const one = await pod("a", "/shared/one", removing);
    const other = await pod("b", "/shared//other/", creating);
    await remove(one);
    assert.deepEqual([isThere("/shared/one"), isThere("/shared/other")], [false, true]);
    await remove(other);
    assert.ok(!isThere("/shared"));
  });

  it("is there for a pod below it that comes while it is taken away", async () => {
    const upper = await pod("a", "/shared", removing);
    const lower = recorded("b", "/shared/pods", creating);
    await Promise.all([remove(upper), makeCgroup(drivers(), lower)]);
    assert.ok(isThere("/shared/pods"));
    await remove(lower);
    assert.ok(!isThere("/shared"));
  });

  it("is not the business of a pod in another one, nor of one whose parent was there", async () => {
    await pod("a", "/shared/pods");
    mkdirSync(path.join(root, "kubepods/pod1"), { recursive: true });
    mkdirSync(path.join(root, "shared/kubelets"));
    for (const group of ["/kubepods/pod1", "/shared/kubelets", ""])
      assert.equal(madeCgroupOf(drivers(), group), undefined);
    await remove(await pod("b", "/kubepods/pod1"));
    assert.ok(isThere("/kubepods/pod1"));
    assert.equal(madeCgroupOf(drivers(), "/kubepods/pod2"), "/kubepods/pod2");
  });
});
