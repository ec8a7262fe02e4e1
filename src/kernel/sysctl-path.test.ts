import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sysctlPath } from "./sysctl-path.ts";

describe("the file of a sysctl", () => {
  it("has slashes for dots, and dots for slashes", () => {
    assert.equal(sysctlPath("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
    assert.equal(sysctlPath("net.ipv4.conf.eth0/1.forwarding"), "/proc/sys/net/ipv4/conf/eth0.1/forwarding");
  });

  it("is never outside of /proc/sys", () => {
    for (const name of ["net.//.kernel.panic", "net.//.//.sysrq-trigger", "//.etc"])
      assert.throws(() => sysctlPath(name), /is not the name of a sysctl/);
  });
});
