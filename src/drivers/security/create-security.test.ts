import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { run } from "#kernel/spawn.ts";
import { silentLogger } from "#observability/logger.ts";
import { apparmorProfileText } from "./apparmor-profile.ts";
import { defaultApparmorProfile, profileNames } from "./apparmor.ts";
import { createSecurity } from "./create-security.ts";
import { RandomLevels } from "./selinux-levels.ts";

describe("the security driver", () => {
  it("knows the machine it runs on", async () => {
    const { facts } = await createSecurity(
      { selinux: "auto", cdiSpecDirs: () => [], bindMountPrefix: "", absentMountSourcesToReject: [] },
      { run, logger: silentLogger },
    );
    assert.ok(facts.capabilities.known.length >= 38);
    assert.ok(facts.cgroup.controllers.length > 0);
    assert.ok((facts.rlimits["RLIMIT_NOFILE"]?.hard ?? 0) > 0);
  });
});

describe("AppArmor", () => {
  it("lists loaded profiles by their names", () => {
    assert.deepEqual(
      profileNames("crio-default (enforce)\n/usr/bin/man (complain)\nname with (brackets) (enforce)\n"),
      ["crio-default", "/usr/bin/man", "name with (brackets)"],
    );
  });

  it("has a built-in profile that includes only what the distribution has", () => {
    const bare = apparmorProfileText("crio-default", { hasTunables: false, hasBaseAbstraction: false });
    assert.match(bare, /^@\{PROC\}=\/proc\/\nprofile crio-default flags=/);
    assert.doesNotMatch(bare, /#include/);
    const full = apparmorProfileText("crio-default", { hasTunables: true, hasBaseAbstraction: true });
    assert.match(full, /#include <tunables\/global>[^]*#include <abstractions\/base>/);
  });

  const dependencies = { run, logger: silentLogger };
  const off = { apparmor: { enabled: false } };
  const on = { apparmor: { enabled: true } };

  it("has no default profile where AppArmor is off", async () => {
    assert.equal(await defaultApparmorProfile(off, dependencies)("crio-default"), "");
  });

  it("lets the configuration choose to run unconfined", async () => {
    assert.equal(await defaultApparmorProfile(on, dependencies)("unconfined"), "unconfined");
  });

  it("refuses a configured profile that is not loaded", async () => {
    await assert.rejects(defaultApparmorProfile(on, dependencies)("berth-test-nobody-has-this"), {
      kind: "failed-precondition",
      message: /berth-test-nobody-has-this.*no such profile is loaded/,
    });
  });
});

describe("SELinux levels", () => {
  it("are pairs of different categories, no two the same", () => {
    const levels = new RandomLevels();
    const given = Array.from({ length: 500 }, () => levels.allocate());
    assert.equal(new Set(given).size, given.length);
    for (const level of given) {
      const [, low = "", high = ""] = /^s0:c(\d+),c(\d+)$/.exec(level) ?? [];
      assert.ok(Number(low) < Number(high) && Number(high) < 1024, level);
    }
  });
});
