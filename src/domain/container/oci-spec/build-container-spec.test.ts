import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import { exampleContainerRequest, exampleSecurityContext, noResources } from "../request-example.ts";
import { buildContainerSpec } from "./build-container-spec.ts";
import { execProcess } from "./exec-process.ts";
import { mergeHooks } from "./hooks.ts";
import { exampleInputs } from "./inputs-example.ts";

function privileged() {
  const request = exampleContainerRequest();
  request.linux.securityContext = exampleSecurityContext({
    privileged: true,
    seccomp: { type: "runtime-default" },
    maskedPaths: ["/proc/kcore"],
  });
  return request;
}

describe("the spec of a plain container", () => {
  const { spec, warnings, user } = buildContainerSpec(exampleInputs(exampleHostFacts()));

  it("runs the image's command as root, in the pod's namespaces and its own cgroup", () => {
    assert.deepEqual(spec.process.args, ["sh"]);
    assert.deepEqual([spec.process.user.uid, user.home, spec.process.cwd], [0, "/root", "/"]);
    assert.equal(spec.hostname, "web");
    assert.equal(spec.linux.cgroupsPath, `/kubepods/web/crio-${"c0".repeat(32)}`);
    assert.deepEqual(warnings, []);
  });

  it("says nothing of mechanisms that are not used", () => {
    for (const absent of ["apparmorProfile", "selinuxLabel"]) assert.equal(absent in spec.process, false);
    for (const absent of ["seccomp", "mountLabel", "rootfsPropagation", "intelRdt", "uidMappings"])
      assert.equal(absent in spec.linux, false);
    assert.equal("hooks" in spec, false);
  });

  it("survives JSON unchanged", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(spec)), spec);
  });
});

describe("the spec of a privileged container", () => {
  const hostDevices = [{ path: "/dev/kmsg", type: "c" as const, major: 1, minor: 11, fileMode: 0o644, uid: 0, gid: 0 }];

  it("has the host's devices and none of the confinements", () => {
    const host = exampleHostFacts({
      apparmor: { enabled: true },
      selinux: { ...exampleHostFacts().selinux, enabled: true },
    });
    const { spec } = buildContainerSpec(exampleInputs(host, { container: { request: privileged(), hostDevices } }));
    assert.equal(spec.linux.devices?.length, 1);
    assert.deepEqual(spec.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
    for (const absent of ["apparmorProfile", "selinuxLabel"]) assert.equal(absent in spec.process, false);
    assert.equal(spec.linux.seccomp, undefined);
    assert.deepEqual(spec.linux.maskedPaths, []);
  });

  it("has no host devices when the handler withholds them", () => {
    const { spec } = buildContainerSpec(
      exampleInputs(exampleHostFacts(), {
        policy: { privilegedWithoutHostDevices: true },
        container: { request: privileged(), hostDevices },
      }),
    );
    assert.deepEqual(spec.linux.devices, []);
    assert.deepEqual(spec.linux.resources?.devices, [{ allow: false, access: "rwm" }]);
  });

  it("keeps its root writable when the configuration makes others read-only", () => {
    const policy = { readOnly: true };
    const writable = buildContainerSpec(
      exampleInputs(exampleHostFacts(), { policy, container: { request: privileged() } }),
    );
    const readonly = buildContainerSpec(exampleInputs(exampleHostFacts(), { policy }));
    assert.equal(writable.spec.root.readonly, false);
    assert.equal(readonly.spec.root.readonly, true);
  });
});

describe("a spec on a machine that gives less than asked", () => {
  it("is adapted, with a warning for every change", () => {
    const host = exampleHostFacts({
      capabilities: { known: [], bounding: ["CAP_CHOWN"], effective: ["CAP_CHOWN"] },
      oomScoreAdj: 0,
      rlimits: { RLIMIT_NOFILE: { soft: 10, hard: 20 } },
      seccomp: { enabled: false },
    });
    const request = exampleContainerRequest();
    request.linux.resources = { ...noResources, oomScoreAdj: -997 };
    request.linux.securityContext.seccomp = { type: "runtime-default" };
    const { spec, warnings } = buildContainerSpec(
      exampleInputs(host, { policy: { defaultUlimits: ["nofile=100:100"] }, container: { request } }),
    );
    assert.deepEqual(spec.process.capabilities?.bounding, ["CAP_CHOWN"]);
    assert.equal(spec.process.oomScoreAdj, 0);
    assert.deepEqual(spec.process.rlimits, [{ type: "RLIMIT_NOFILE", soft: 20, hard: 20 }]);
    assert.match(warnings.join("\n"), /CAP_KILL[^]*seccomp[^]*RLIMIT_NOFILE[^]*oom_score_adj/);
  });
});

describe("annotations that ask for something", () => {
  const annotations = { "umask.crio.io": "0027", "cgroup2-mount-hierarchy-rw.crio.io": "true" };

  function built(allowed: string[]) {
    const inputs = exampleInputs(exampleHostFacts(), { policy: { allowedAnnotations: allowed } });
    inputs.sandbox.request.annotations = annotations;
    const { spec } = buildContainerSpec(inputs);
    const cgroup = spec.mounts.find((mount) => mount.destination === "/sys/fs/cgroup");
    return { umask: spec.process.user.umask, writable: cgroup?.options?.includes("rw") };
  }

  it("are heard on the pod when the handler allows them", () => {
    assert.deepEqual(built(["umask.crio.io", "cgroup2-mount-hierarchy-rw.crio.io"]), { umask: 0o27, writable: true });
  });

  it("are not heard otherwise", () => {
    assert.deepEqual(built([]), { umask: undefined, writable: false });
  });
});

describe("a further process", () => {
  const { spec } = buildContainerSpec(exampleInputs(exampleHostFacts()));

  it("is like the container's own, with its arguments and its terminal", () => {
    const process = execProcess(spec.process, { args: ["ls"], tty: true });
    assert.deepEqual(process.args, ["ls"]);
    assert.deepEqual([process.terminal, process.env.at(-1)], [true, "TERM=xterm"]);
    assert.deepEqual(process.capabilities, spec.process.capabilities);
    assert.equal(spec.process.terminal, false);
  });
});

describe("hooks", () => {
  it("of two sources run in the order of the sources", () => {
    const merged = mergeHooks(
      { prestart: [{ path: "/a" }] },
      { prestart: [{ path: "/b" }], poststop: [{ path: "/c" }] },
    );
    assert.deepEqual(merged, { prestart: [{ path: "/a" }, { path: "/b" }], poststop: [{ path: "/c" }] });
    assert.equal(mergeHooks(undefined, undefined), undefined);
  });
});
