import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig } from "./default-config.ts";
import { pathsOf } from "./paths.ts";

describe("paths", () => {
  it("keep everything below root and runroot, so that two instances with their own do not meet", () => {
    const base = defaultConfig();
    const config = { ...base, crio: { ...base.crio, root: "/t/root/", runroot: "/t/run" } };
    const paths = pathsOf(config);
    const { socket: _socket, socketLock: _socketLock, podLogs: _podLogs, ...own } = paths;
    for (const [name, value] of Object.entries(own)) {
      if (typeof value === "string") assert.match(value, /^\/t\/(root|run)(\/|$)/, name);
    }
    assert.equal(paths.containerRecords, "/t/root/containers");
    assert.equal(paths.bundle("c1"), "/t/run/containers/c1");
    assert.equal(paths.namespace("net", "s1"), "/t/run/namespaces/netns/s1");
    assert.equal(paths.runtimeRoot("crun"), "/t/run/runtimes/crun");
  });

  it("follow the options that name a place of their own", () => {
    const base = defaultConfig();
    const paths = pathsOf({
      ...base,
      crio: { ...base.crio, imagestore: "/images" },
      runtime: { ...base.runtime, containerExitsDir: "/exits", containerAttachSocketDir: "/at", namespacesDir: "/ns" },
      berth: { ...base.berth, cniCacheDir: "/cni" },
    });
    assert.deepEqual(
      [paths.imageRoot, paths.exits, paths.attachSockets, paths.namespace("ipc", "s"), paths.cniCache],
      ["/images", "/exits", "/at", "/ns/ipcns/s", "/cni"],
    );
  });
});
