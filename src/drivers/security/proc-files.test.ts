import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rlimitUnlimited } from "#spec/oci-runtime-json.ts";
import { capabilitySet, cgroupV1Controllers, knownCapabilities, parseContexts, parseLimits } from "./proc-files.ts";

describe("files of /proc", () => {
  it("give capability sets by their bits", () => {
    const status = "Name:\tnode\nCapEff:\t0000000000000021\nCapBnd:\t000001fffeffffff\n";
    assert.deepEqual(capabilitySet(status, "CapEff"), ["CAP_CHOWN", "CAP_KILL"]);
    assert.equal(capabilitySet(status, "CapBnd").length, 40);
    assert.equal(capabilitySet(status, "CapBnd").includes("CAP_SYS_RESOURCE"), false);
    assert.deepEqual(capabilitySet(status, "CapXyz"), []);
  });

  it("give the kernel's capabilities up to its last", () => {
    assert.equal(knownCapabilities("40\n").at(-1), "CAP_CHECKPOINT_RESTORE");
    assert.equal(knownCapabilities("37\n").at(-1), "CAP_AUDIT_READ");
  });

  it("give limits by OCI type", () => {
    const limits = [
      "Limit                     Soft Limit           Hard Limit           Units     ",
      "Max cpu time              unlimited            unlimited            seconds   ",
      "Max open files            1024                 20000                files     ",
      "Max nice priority         0                    0                    ",
    ].join("\n");
    assert.deepEqual(parseLimits(limits), {
      RLIMIT_CPU: { soft: rlimitUnlimited, hard: rlimitUnlimited },
      RLIMIT_NOFILE: { soft: 1024, hard: 20_000 },
      RLIMIT_NICE: { soft: 0, hard: 0 },
    });
  });

  it("give the controllers of cgroup v1, without named hierarchies and v2", () => {
    const text = "9:name=systemd:/\n4:memory:/a\n2:cpu,cpuacct:/\n0::/\n";
    assert.deepEqual(cgroupV1Controllers(text), ["memory", "cpu", "cpuacct"]);
  });

  it("give SELinux's contexts", () => {
    const text = 'process = "system_u:system_r:container_t:s0"\n# comment\nfile="x"\n';
    assert.deepEqual(parseContexts(text), { process: "system_u:system_r:container_t:s0", file: "x" });
  });
});
