import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OciSeccomp, OciSyscallRule } from "#spec/oci-runtime.ts";
import { allCapabilities } from "#spec/capabilities.ts";
import { defaultSeccompProfile } from "./default-seccomp-profile.ts";
import { isAtLeast, parseSeccompProfile, resolveSeccompProfile } from "./seccomp-profile.ts";
import { buildSeccomp, type SeccompInputs } from "./seccomp.ts";

const target = { architecture: "amd64", capabilities: [] as string[], kernelRelease: "6.1.0" };
const plain: SeccompInputs = {
  ...target,
  profile: { type: "runtime-default" },
  localhostText: undefined,
  privileged: false,
  enabled: true,
  defaultProfile: defaultSeccompProfile,
  privilegedProfile: undefined,
};

function rulesFor(seccomp: OciSeccomp, syscall: string): OciSyscallRule[] {
  return (seccomp.syscalls ?? []).filter((rule) => rule.names.includes(syscall));
}

/** `allow`, `errno 1`, ... for a system call that is decided without looking at arguments. */
function answer(syscall: string, capabilities: string[] = []): string {
  const seccomp = resolveSeccompProfile(defaultSeccompProfile, { ...target, capabilities });
  const rule = rulesFor(seccomp, syscall).find((one) => one.args === undefined);
  if (rule === undefined) return `errno ${seccomp.defaultErrnoRet}`;
  return rule.action === "SCMP_ACT_ALLOW" ? "allow" : `errno ${rule.errnoRet}`;
}

describe("the built-in profile", () => {
  const cases: [syscall: string, capabilities: string[], expected: string][] = [
    ["read", [], "allow"],
    ["openat2", [], "allow"],
    ["futex_waitv", [], "allow"],
    ["unshare", [], "errno 1"],
    ["unshare", ["CAP_SYS_ADMIN"], "allow"],
    ["mount", [], "errno 1"],
    ["clone3", [], "errno 38"],
    ["clone3", ["CAP_SYS_ADMIN"], "allow"],
    ["clone", ["CAP_SYS_ADMIN"], "allow"],
    ["bpf", ["CAP_BPF"], "allow"],
    ["bpf", [], "errno 1"],
    ["kexec_load", ["CAP_SYS_ADMIN"], "errno 1"],
    ["io_uring_setup", [], "errno 1"],
    ["reboot", ["CAP_SYS_BOOT"], "allow"],
    ["chroot", [], "errno 1"],
    ["arch_prctl", [], "allow"],
    ["a_call_of_the_future", [], "errno 38"],
  ];
  for (const [syscall, capabilities, expected] of cases)
    it(`answers ${syscall} with ${expected} for [${capabilities.join()}]`, () =>
      assert.equal(answer(syscall, capabilities), expected));

  it("allows clone without flags for namespaces only, on s390x in the other argument", () => {
    for (const [architecture, index] of [
      ["amd64", 0],
      ["arm64", 0],
      ["s390x", 1],
    ] as const) {
      const rules = rulesFor(resolveSeccompProfile(defaultSeccompProfile, { ...target, architecture }), "clone");
      assert.equal(rules.length, 1);
      assert.deepEqual(rules[0]?.args, [{ index, value: 0x7e02_0000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]);
    }
  });

  it("refuses netlink's audit protocol without CAP_AUDIT_WRITE and no other socket", () => {
    const without = rulesFor(resolveSeccompProfile(defaultSeccompProfile, target), "socket");
    assert.deepEqual(
      without.map((rule) => rule.action),
      ["SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"],
    );
    const capabilities = ["CAP_AUDIT_WRITE"];
    const granted = rulesFor(resolveSeccompProfile(defaultSeccompProfile, { ...target, capabilities }), "socket");
    assert.deepEqual(
      granted.map((rule) => [rule.action, rule.args]),
      [["SCMP_ACT_ALLOW", undefined]],
    );
  });

  it("names the architectures that the kernel runs beside the machine's own", () => {
    const { architectures } = resolveSeccompProfile(defaultSeccompProfile, target);
    assert.deepEqual(architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    const riscv = resolveSeccompProfile(defaultSeccompProfile, { ...target, architecture: "riscv64" });
    assert.deepEqual(riscv.architectures, ["SCMP_ARCH_RISCV64"]);
  });

  it("never both allows and refuses the same call", () => {
    for (const capabilities of [[], [...allCapabilities], ["CAP_SYS_ADMIN"], ["CAP_BPF"]]) {
      const seccomp = resolveSeccompProfile(defaultSeccompProfile, { ...target, capabilities });
      const unconditional = (seccomp.syscalls ?? []).filter((rule) => rule.args === undefined);
      const actions = new Map<string, string>();
      for (const rule of unconditional)
        for (const name of rule.names) {
          assert.ok((actions.get(name) ?? rule.action) === rule.action, name);
          actions.set(name, rule.action);
        }
    }
  });
});

describe("seccomp of a container", () => {
  it("is the default profile, unconfined or a file's, as asked", () => {
    assert.equal(buildSeccomp(plain).name, "RuntimeDefault");
    for (const type of ["unset", "unconfined"] as const)
      assert.deepEqual(buildSeccomp({ ...plain, profile: { type } }), {
        seccomp: undefined,
        name: "Unconfined",
        warnings: [],
      });
    const local = buildSeccomp({
      ...plain,
      profile: { type: "localhost", localhostRef: "/seccomp/log.json" },
      localhostText: '{"defaultAction":"SCMP_ACT_LOG"}',
    });
    assert.equal(local.name, "Localhost//seccomp/log.json");
    assert.equal(local.seccomp?.defaultAction, "SCMP_ACT_LOG");
  });

  it("is none when privileged, unless there is a profile for that", () => {
    assert.equal(buildSeccomp({ ...plain, privileged: true }).seccomp, undefined);
    const privilegedProfile = { defaultAction: "SCMP_ACT_ALLOW" as const };
    assert.equal(
      buildSeccomp({ ...plain, privileged: true, privilegedProfile }).seccomp?.defaultAction,
      "SCMP_ACT_ALLOW",
    );
  });

  it("warns where the kernel has none, but fails for a named profile", () => {
    assert.equal(buildSeccomp({ ...plain, enabled: false }).warnings.length, 1);
    const profile = { type: "localhost" as const, localhostRef: "p.json" };
    assert.throws(() => buildSeccomp({ ...plain, enabled: false, profile, localhostText: "{}" }), {
      kind: "failed-precondition",
    });
    assert.throws(() => buildSeccomp({ ...plain, profile }), { kind: "not-found" });
  });
});

describe("a profile's file", () => {
  it("may use Docker's conditions and its oldest form", () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        defaultAction: "SCMP_ACT_ERRNO",
        archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: null }],
        syscalls: [
          { name: "read", action: "SCMP_ACT_ALLOW", args: null },
          { names: ["bpf"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_BPF"] } },
          { names: ["ptrace"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" }, excludes: {} },
          { names: ["old"], action: "SCMP_ACT_ALLOW", excludes: { minKernel: "4.8" } },
          { names: ["arm"], action: "SCMP_ACT_ALLOW", includes: { arches: ["arm64"] } },
        ],
      }),
      "docker.json",
    );
    assert.deepEqual(resolveSeccompProfile(profile, target), {
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_ALLOW" },
        { names: ["ptrace"], action: "SCMP_ACT_ALLOW" },
      ],
    });
  });

  it("keeps OCI's own fields", () => {
    const oci = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_ARM"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/listener",
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }],
    };
    assert.deepEqual(resolveSeccompProfile(parseSeccompProfile(JSON.stringify(oci), "oci.json"), target), oci);
  });

  const broken: [text: string, message: RegExp][] = [
    ["{", /bad.json cannot be used: .*JSON/],
    ["[]", /no JSON object/],
    ["{}", /defaultAction/],
    ['{"defaultAction":"allow"}', /defaultAction/],
    ['{"defaultAction":"SCMP_ACT_LOG","syscalls":{}}', /syscalls is no list/],
    ['{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"action":"SCMP_ACT_LOG"}]}', /syscalls\[0\] has no names/],
    ['{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["a"]}]}', /syscalls\[0\] has a missing/],
  ];
  for (const [text, message] of broken)
    it(`is refused when it is ${text}`, () => {
      assert.throws(() => parseSeccompProfile(text, "bad.json"), { kind: "invalid-argument", message });
    });

  it("compares kernel releases by number", () => {
    assert.equal(isAtLeast("6.18.44-fc", "6.9"), true);
    assert.equal(isAtLeast("4.7.0", "4.8"), false);
    assert.equal(isAtLeast("5.0", "4.8"), true);
  });
});
