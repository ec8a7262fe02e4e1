import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NamespaceOptions } from "./request.ts";
import { sandboxSysctls } from "./sysctls.ts";

const options: NamespaceOptions = { network: "pod", pid: "container", ipc: "pod", targetId: "", userns: undefined };

describe("sysctls of a pod", () => {
  it("are those of its namespaces, the pod's before the defaults", () => {
    const { sysctls, warnings } = sandboxSysctls({
      defaults: { "net.core.somaxconn": "100", "kernel.sem": "1" },
      requested: { "net.core.somaxconn": "200", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "5" },
      options,
    });
    assert.deepEqual(sysctls, {
      "net.core.somaxconn": "200",
      "kernel.sem": "1",
      "kernel.shm_rmid_forced": "1",
      "fs.mqueue.msg_max": "5",
    });
    assert.deepEqual(warnings, []);
  });

  it("are left out with a warning when they would change the node", () => {
    for (const name of ["vm.swappiness", "kernel.panic", "kernel.sema", "netx.y"]) {
      const result = sandboxSysctls({ defaults: {}, requested: { [name]: "1" }, options });
      assert.deepEqual(result.sysctls, {});
      assert.match(result.warnings[0] ?? "", new RegExp(name.replaceAll(".", "\\.")));
    }
  });

  it("are left out with a warning when the namespace is the host's", () => {
    const hostNetwork = { ...options, network: "node" as const };
    const requested = { "net.core.somaxconn": "1", "kernel.msgmax": "2" };
    const result = sandboxSysctls({ defaults: {}, requested, options: hostNetwork });
    assert.deepEqual(result.sysctls, { "kernel.msgmax": "2" });
    assert.equal(result.warnings.length, 1);
  });

  it("may be spelled with slashes", () => {
    const requested = { "net/ipv4/conf/eth0.1/forwarding": "1" };
    const { sysctls } = sandboxSysctls({ defaults: {}, requested, options });
    assert.deepEqual(sysctls, { "net.ipv4.conf.eth0/1.forwarding": "1" });
  });

  it("let all mapped groups ping, and no more, in a user namespace", () => {
    const map = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
    const requested = { "net.ipv4.ping_group_range": "0 2147483647" };
    const userns = { mode: "pod" as const, uids: map, gids: map };
    const mapped = sandboxSysctls({ defaults: {}, requested, options: { ...options, userns } });
    assert.deepEqual(mapped.sysctls, { "net.ipv4.ping_group_range": "0 65535" });
    assert.deepEqual(sandboxSysctls({ defaults: {}, requested, options }).sysctls, requested);
  });
});
