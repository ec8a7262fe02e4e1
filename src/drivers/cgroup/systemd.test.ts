import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import type { Hierarchy } from "./hierarchy.ts";
import { noLimits } from "./limits-example.ts";
import { systemdCgroups } from "./systemd.ts";
import type { SystemdUnits } from "./systemd-units.ts";

describe("groups by systemd", () => {
  let root: string;
  let hierarchy: Hierarchy;
  let calls: string[];
  let units: SystemdUnits;

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "berth-cgroup-"));
    hierarchy = { version: 2, mountPoints: new Map([["", root]]) };
    calls = [];
    units = {
      startTransient: async (name, properties) => {
        const slice = properties.find(([property]) => property === "Slice")?.[2];
        calls.push(`start ${name}${typeof slice === "string" ? ` in ${slice}` : ""}`);
      },
      stop: async (name) => void calls.push(`stop ${name}`),
      setProperties: async (name, properties) =>
        void calls.push(`set ${name} ${properties.map(([property]) => property).join(",")}`),
      close() {},
    };
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const group = (...slices: string[]): string => {
    const directory = path.join(root, ...slices);
    mkdirSync(directory, { recursive: true });
    return directory;
  };

  it("puts a monitor's scope into the slice that its runtime handler has configured, or into its pod's", async () => {
    const monitorCgroup = (handler: string): string => (handler === "runc" ? "system.slice" : "pod");
    const cgroups = systemdCgroups({ monitorCgroup }, hierarchy, units);
    const parent = "/a.slice/a-b.slice";
    await cgroups.placeMonitor({ parent, containerId: "1", handler: "runc" }, 42);
    await cgroups.placeMonitor({ parent, containerId: "2", handler: "crun" }, 42);
    await cgroups.placeMonitor({ parent: "", containerId: "3", handler: "crun" }, 42);
    assert.deepEqual(calls, [
      "start crio-conmon-1.scope in system.slice",
      "start crio-conmon-2.scope in a-b.slice",
      "start crio-conmon-3.scope in system.slice",
    ]);
  });

  it("finds the uppermost slice that is missing", async () => {
    const cgroups = systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units);
    group("a.slice");
    assert.equal(cgroups.missingParent("a-b-c.slice"), "a-b.slice");
    group("a.slice", "a-b.slice", "a-b-c.slice");
    assert.equal(cgroups.missingParent("a-b-c.slice"), undefined);
  });

  it("takes a slice that another pod has made meanwhile", async () => {
    units.startTransient = () => Promise.reject(new DomainError("already-exists", "it is there"));
    await systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units).createParent("a.slice");
    units.startTransient = () => Promise.reject(new DomainError("internal", "no"));
    await assert.rejects(systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units).createParent("a.slice"), /no/);
  });

  it("stops what it made from the leaf up, and nothing that is in use", async () => {
    const cgroups = systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units);
    group("a.slice", "a-b.slice");
    await cgroups.removeParent("a-b-c.slice", "a-b.slice", []);
    assert.deepEqual(calls.splice(0), ["stop a-b-c.slice", "stop a-b.slice"]);
    group("a.slice", "a-b.slice", "a-b-other.slice");
    await cgroups.removeParent("a-b-c.slice", "a-b.slice", []);
    assert.deepEqual(calls.splice(0), ["stop a-b-c.slice"]);
    writeFileSync(path.join(group("a.slice", "a-b.slice", "a-b-c.slice"), "cgroup.procs"), "7\n");
    await cgroups.removeParent("a-b-c.slice", "a-b.slice", []);
    assert.deepEqual(calls, []);
  });

  it("stops no slice that another pod will be in, although it is empty still", async () => {
    const cgroups = systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units);
    group("a.slice", "a-b.slice");
    await cgroups.removeParent("/a.slice/a-b.slice/a-b-c.slice", "a.slice", ["/a.slice/a-b.slice"]);
    assert.deepEqual(calls, ["stop a-b-c.slice"]);
  });

  it("writes a pod's limits and tells systemd of them", async () => {
    const slice = group("a.slice");
    await systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units).setLimits("/a.slice", {
      ...noLimits,
      memoryLimitBytes: 4096,
    });
    assert.equal(readFileSync(path.join(slice, "memory.max"), "utf8"), "4096");
    assert.deepEqual(calls, ["set a.slice MemoryMax"]);
  });

  it("refuses a memory limit below what is in use and cannot be dropped", async () => {
    const slice = group("a.slice");
    writeFileSync(path.join(slice, "memory.current"), "5000\n");
    writeFileSync(path.join(slice, "memory.stat"), "anon 1\ninactive_file 1000\nfile 2\n");
    const cgroups = systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units);
    await assert.rejects(cgroups.setLimits("a.slice", { ...noLimits, memoryLimitBytes: 3999 }), {
      kind: "failed-precondition",
      message: /4000 bytes are in use/,
    });
    await cgroups.setLimits("a.slice", { ...noLimits, memoryLimitBytes: 4000 });
  });

  it("knows which limits a pod has, and counts OOM kills of a scope until it is gone", async () => {
    const cgroups = systemdCgroups({ monitorCgroup: () => "" }, hierarchy, units);
    const slice = group("a.slice");
    writeFileSync(path.join(slice, "memory.max"), "4096\n");
    writeFileSync(path.join(slice, "cpu.max"), "max 100000\n");
    assert.deepEqual(await cgroups.limited("a.slice"), { cpu: false, memory: true });
    writeFileSync(path.join(group("a.slice", "crio-x.scope"), "memory.events"), "oom 3\noom_kill 2\n");
    assert.equal(await cgroups.oomKills("a.slice:crio:x"), 2);
    assert.equal(await cgroups.oomKills("a.slice:crio:y"), undefined);
  });
});
