import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { collectHostFacts } from "./host-facts.ts";

describe("the facts of a host", () => {
  let root = "";

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), "berth-facts-"));
    await put("/proc/self/status", "CapBnd:\t0000000000000001\nCapEff:\t0000000000000001\nSeccomp:\t0\n");
    await put("/proc/self/oom_score_adj", "-999\n");
  });
  afterEach(() => rm(root, { recursive: true }));

  async function put(file: string, text: string): Promise<void> {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }

  it("tell what the daemon may do", async () => {
    const facts = await collectHostFacts({ selinux: "auto", root });
    assert.deepEqual(facts.capabilities.bounding, ["CAP_CHOWN"]);
    assert.equal(facts.oomScoreAdj, -999);
    assert.equal(facts.seccomp.enabled, false);
    assert.equal(facts.apparmor.enabled, false);
    assert.equal(facts.selinux.enabled, false);
  });

  it("tell cgroup v2 and its swap from a cgroup below the root", async () => {
    await put("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
    await put("/proc/self/cgroup", "0::/system.slice/berth.service\n");
    const without = await collectHostFacts({ selinux: "auto", root });
    assert.deepEqual(without.cgroup, { version: 2, controllers: ["cpu", "memory", "pids"], hasMemorySwap: false });
    await put("/sys/fs/cgroup/system.slice/memory.swap.max", "max\n");
    assert.equal((await collectHostFacts({ selinux: "auto", root })).cgroup.hasMemorySwap, true);
  });

  it("tell cgroup v1 with the controllers that are mounted", async () => {
    await put("/proc/self/cgroup", "4:memory:/x\n0::/\n");
    await put("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "1\n");
    const { cgroup } = await collectHostFacts({ selinux: "auto", root });
    assert.deepEqual(cgroup, { version: 1, controllers: ["memory"], hasMemorySwap: true });
  });

  it("tell seccomp, AppArmor and SELinux with the labels of its policy", async () => {
    await put("/proc/sys/kernel/seccomp/actions_avail", "kill\n");
    await put("/sys/module/apparmor/parameters/enabled", "Y\n");
    await put("/proc/self/mounts", "selinuxfs /sys/fs/selinux selinuxfs rw,nosuid,noexec,relatime 0 0\n");
    await put("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=mls\n");
    await put("/etc/selinux/mls/contexts/lxc_contexts", 'process = "u:r:mls_t:s0"\n');
    const facts = await collectHostFacts({ selinux: "auto", root });
    assert.deepEqual([facts.seccomp.enabled, facts.apparmor.enabled, facts.selinux.enabled], [true, true, true]);
    assert.equal(facts.selinux.processLabel, "u:r:mls_t:s0");
    assert.equal(facts.selinux.fileLabel, "system_u:object_r:container_file_t:s0");
    assert.equal((await collectHostFacts({ selinux: "false", root })).selinux.enabled, false);
  });
});
