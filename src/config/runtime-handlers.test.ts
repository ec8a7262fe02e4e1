import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadConfig } from "./load-config.ts";
import { resolveRuntimeHandlers } from "./runtime-handlers.ts";

async function handlersWith(flags: Record<string, string>) {
  const values = new Map(Object.entries(flags).map(([flag, value]) => [flag, [value]]));
  const loaded = await loadConfig({ file: "", fileIsRequired: false, directory: "", environment: {}, flags: values });
  return { config: loaded.config, handlers: resolveRuntimeHandlers(loaded.config) };
}

describe("runtime handlers", () => {
  it("answers the empty name with the default handler", async () => {
    const { handlers } = await handlersWith({ "default-runtime": "runc" });
    assert.equal(handlers.get("")?.name, "runc");
    assert.equal(handlers.get("")?.runtimePath, "runc");
  });

  it("keeps the state of each handler apart, below runroot, unless told where", async () => {
    const { handlers } = await handlersWith({ runroot: "/tmp/r", runtimes: "x:/bin/x:/run/x" });
    assert.equal(handlers.get("crun")?.runtimeRoot, "/tmp/r/runtimes/crun");
    assert.equal(handlers.get("runc")?.runtimeRoot, "/tmp/r/runtimes/runc");
    assert.equal(handlers.get("x")?.runtimeRoot, "/run/x");
  });

  it("falls back to the deprecated conmon options and to a cgroup that suits the manager", async () => {
    const { handlers } = await handlersWith({ conmon: "/opt/conmon", "conmon-env": "A=1" });
    assert.equal(handlers.get("crun")?.monitorPath, "/opt/conmon");
    assert.deepEqual(handlers.get("crun")?.monitorEnv, ["A=1"]);
    assert.equal(handlers.get("crun")?.monitorCgroup, "system.slice");
    const cgroupfs = await handlersWith({ "cgroup-manager": "cgroupfs" });
    assert.equal(cgroupfs.handlers.get("crun")?.monitorCgroup, "pod");
    assert.equal(cgroupfs.handlers.get("crun")?.monitorPath, "conmon");
  });

  it("has a monitor of its own for each handler, unless the deprecated options set one for all", async () => {
    const { config } = await handlersWith({ runtimes: "other:/opt/other:/run/other" });
    const other = config.runtime.runtimes.get("other");
    assert.ok(other !== undefined);
    const own = { ...other, monitorPath: "/opt/own", monitorCgroup: "own.slice", monitorEnv: ["A=own"] };
    const runtimes = new Map([...config.runtime.runtimes, ["other", own] as const]);
    const monitorsOf = (all: Partial<typeof config.runtime>) => {
      const handlers = resolveRuntimeHandlers({ ...config, runtime: { ...config.runtime, runtimes, ...all } });
      return ["other", "runc"].map((name) => {
        const { monitorPath, monitorCgroup, monitorEnv } = handlers.get(name) ?? {};
        return [monitorPath, monitorCgroup, monitorEnv?.join()];
      });
    };
    const [first, second] = monitorsOf({});
    assert.deepEqual(first, ["/opt/own", "own.slice", "A=own"]);
    assert.deepEqual(second?.slice(0, 2), ["conmon", "system.slice"]);
    const forAll = ["/opt/all", "all.slice", "A=all"];
    const deprecated = { conmon: "/opt/all", conmonCgroup: "all.slice", conmonEnv: ["A=all"] };
    assert.deepEqual(monitorsOf(deprecated), [forAll, forAll]);
  });

  it("keeps monitors with their pods where there are no slices, whatever slice CRI-O's default is", async () => {
    const { handlers } = await handlersWith({ "cgroup-manager": "cgroupfs", "conmon-cgroup": "system.slice" });
    assert.equal(handlers.get("crun")?.monitorCgroup, "pod");
  });

  it("gives a handler that inherits the program and state of the default one, and its own permissions", async () => {
    const { config } = await handlersWith({ runtimes: "base:/opt/base:/run/base" });
    const base = config.runtime.runtimes.get("base");
    assert.ok(base !== undefined);
    const heir = { ...base, runtimePath: "", runtimeRoot: "", inheritDefaultRuntime: true, allowedAnnotations: ["a"] };
    const runtimes = new Map([...config.runtime.runtimes, ["heir", heir] as const]);
    const handlers = resolveRuntimeHandlers({
      ...config,
      runtime: { ...config.runtime, defaultRuntime: "base", runtimes },
    });
    assert.equal(handlers.get("heir")?.runtimePath, "/opt/base");
    assert.equal(handlers.get("heir")?.runtimeRoot, "/run/base");
    assert.deepEqual(handlers.get("heir")?.allowedAnnotations, ["a"]);
  });
});
