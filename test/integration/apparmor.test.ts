import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { NamespaceMode, SecurityProfile_ProfileType } from "#cri/gen/runtime/v1/api_pb.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, runPod, runToEnd, type Pod, type SecurityContext } from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods, findProgram } from "../support/requirements.ts";

const sharedProcesses = { namespaceOptions: { pid: NamespaceMode.POD } };
const localProfile = "berth-test-no-tmp";

describe("AppArmor", { skip: cannotRunPods() || cannotUseApparmor() }, () => {
  const suite = useDaemon();
  let pod: Pod;
  before(async () => {
    // Loaded by hand, as an administrator would do before pods name it.
    execFileSync(findProgram("apparmor_parser") ?? "", ["--replace", "--skip-cache"], {
      input: `profile ${localProfile} flags=(attach_disconnected) {\n  file,\n  deny /tmp/** w,\n}\n`,
    });
    pod = await runPod(suite.daemon, "apparmor");
  });

  async function outputOf(name: string, command: string, securityContext: SecurityContext): Promise<string> {
    const config = containerConfig(suite.busybox, name, ["sh", "-c", command], { linux: { securityContext } });
    const { stdout, stderr } = await runToEnd(suite.daemon, pod, config);
    return stdout + stderr;
  }

  const confinement = "cat /proc/self/attr/apparmor/current 2>/dev/null || cat /proc/self/attr/current";

  it("confines containers that ask for nothing by the profile that the daemon brings along", async () => {
    assert.equal(await outputOf("plain", confinement, {}), "crio-default (enforce)\n");
  });

  it("keeps them from writing to the kernel's files", async () => {
    const written = await outputOf("writer", "echo 1 >/proc/sysrq-trigger; mount -t tmpfs x /tmp", {
      capabilities: { addCapabilities: ["SYS_ADMIN"] },
    });
    assert.match(written, /can't create \/proc\/sysrq-trigger|Permission denied|Read-only/);
    assert.match(written, /mount.*(denied|not permitted)/i);
  });

  it("leaves them alone when the pod or its privileges say so", async () => {
    const { Unconfined } = SecurityProfile_ProfileType;
    assert.equal(
      await outputOf("free", confinement, { apparmor: { profileType: Unconfined, localhostRef: "" } }),
      "unconfined\n",
    );
    assert.equal(await outputOf("privileged", confinement, { privileged: true }), "unconfined\n");
  });

  it("uses a profile of the node, named in the new or the old field", async () => {
    const { Localhost } = SecurityProfile_ProfileType;
    const contexts: SecurityContext[] = [
      { apparmor: { profileType: Localhost, localhostRef: localProfile } },
      { apparmorProfile: `localhost/${localProfile}` },
    ];
    for (const [index, context] of contexts.entries())
      assert.match(await outputOf(`local${index}`, "touch /tmp/x", context), /Permission denied/);
  });

  it("refuses a profile that is not loaded", async () => {
    const { Localhost } = SecurityProfile_ProfileType;
    const context = { apparmor: { profileType: Localhost, localhostRef: "berth-test-none" } };
    await rejects(outputOf("missing", "true", context), "NOT_FOUND", /berth-test-none is not loaded/);
  });

  it("confines the pause process of a pod that shares its processes", async () => {
    const shared = await runPod(suite.daemon, "shared", {
      linux: { cgroupParent: suite.daemon.places.cgroupParent, securityContext: sharedProcesses },
    });
    const config = containerConfig(suite.busybox, "looker", ["cat", "/proc/1/attr/current"], {
      linux: { securityContext: sharedProcesses },
    });
    assert.equal((await runToEnd(suite.daemon, shared, config)).stdout, "crio-default (enforce)\n");
  });
});

function cannotUseApparmor(): string | false {
  const isOn = () => readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").trim() === "Y";
  try {
    if (!isOn()) return "AppArmor is off";
  } catch {
    return "the kernel has no AppArmor";
  }
  return findProgram("apparmor_parser") === undefined ? "not installed: apparmor_parser" : false;
}
