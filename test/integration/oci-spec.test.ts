import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readlink, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import {
  exampleContainerRequest,
  exampleMount,
  exampleSecurityContext,
  noResources,
  podNamespaces,
} from "#domain/container/request-example.ts";
import { buildContainerSpec } from "#domain/container/oci-spec/build-container-spec.ts";
import { exampleInputs } from "#domain/container/oci-spec/inputs-example.ts";
import type { SandboxNamespaces } from "#domain/container/oci-spec/namespaces.ts";
import type { ContainerSpecInputs } from "#domain/container/oci-spec/spec-inputs.ts";
import { createSecurity } from "#drivers/security/create-security.ts";
import type { Security } from "#drivers/security/index.ts";
import { hasErrno } from "#errors/domain-error.ts";
import { run } from "#kernel/spawn.ts";
import { silentLogger } from "#observability/logger.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { OciFeatures } from "#spec/oci-runtime.ts";
import { eventually } from "../support/eventually.ts";

const execute = promisify(execFile);

/** crun refuses machines with both versions of cgroups, so runc is what is always there. */
const runtime = process.env["BERTH_TEST_RUNTIME"] ?? "runc";

/** One run: the spec's inputs may be changed, `sh -c script` is what runs. */
interface Run {
  script: string;
  adapt?: (inputs: ContainerSpecInputs) => void;
}

describe(`a built config.json under ${runtime}`, { skip: process.getuid?.() !== 0 }, () => {
  let directory = "";
  let security: Security;
  let features: OciFeatures;
  let pod: StandInPod;
  let userPod: StandInPod;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "berth-oci-spec-"));
    // A pod's mapped root has to get through to its root directory.
    await chmod(directory, 0o755);
    await makeRootfs(path.join(directory, "rootfs"));
    await mkdir(path.join(directory, "volume"));
    security = await createSecurity(
      { selinux: "auto", cdiSpecDirs: () => [], bindMountPrefix: "", absentMountSourcesToReject: [] },
      { run, logger: silentLogger },
    );
    features = await featuresOf(runtime);
    pod = await startPod([]);
    userPod = await startPod(["--user"]);
  });

  after(async () => {
    pod.stop();
    userPod.stop();
    await rm(directory, { recursive: true, force: true });
    await removeCgroups("berth-test");
  });

  async function runContainer({ script, adapt }: Run): Promise<string> {
    const id = randomBytes(32).toString("hex");
    const inputs = exampleInputs(security.facts, {
      policy: { runtimeFeatures: features },
      container: {
        id,
        rootfs: {
          path: path.join(directory, "rootfs"),
          passwd: "root:x:0:0:root:/root:/bin/sh\nguest:x:405:100:guest:/home/guest:/bin/sh\n",
          group: "root:x:0:\nusers:x:100:\nwheel:x:10:guest\n",
        },
        request: exampleContainerRequest({ command: ["sh", "-c", script] }),
      },
    });
    inputs.sandbox.request.linux.cgroupParent = "/berth-test";
    inputs.sandbox.namespaces = pod.namespaces;
    adapt?.(inputs);
    const { spec } = buildContainerSpec(inputs);
    const bundle = await mkdtemp(path.join(directory, "bundle-"));
    await writeFile(path.join(bundle, "config.json"), encodeOci(spec));
    const { stdout } = await execute(runtime, ["run", "--bundle", bundle, id], { timeout: 60_000 });
    return stdout.trim();
  }

  it("runs the command with the environment, the directory and the user of the request", async () => {
    const output = await runContainer({
      script: 'id -u; id -g; id -G; pwd; echo "$HOME $GREETING $PATH"',
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({
          runAsUser: 405,
          supplementalGroups: [3000],
        });
        container.request.env = [{ name: "GREETING", value: "hello" }];
        container.request.workingDir = "/tmp";
      },
    });
    const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert.deepEqual(output.split("\n"), ["405", "100", "100 10 3000", "/tmp", `/home/guest hello ${searchPath}`]);
  });

  it("gives the default capabilities and the default seccomp filter", async () => {
    const output = await runContainer({
      script: "grep -E '^(CapBnd|CapInh|CapAmb|Seccomp):' /proc/self/status",
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({ seccomp: { type: "runtime-default" } });
      },
    });
    assert.deepEqual(output.split(/\s+/), [
      "CapInh:",
      "0000000000000000",
      "CapBnd:",
      "00000000000005fb",
      "CapAmb:",
      "0000000000000000",
      "Seccomp:",
      "2",
    ]);
  });

  it("lets the default filter refuse new namespaces to a container without CAP_SYS_ADMIN", async () => {
    const output = await runContainer({
      script: "unshare -U true 2>&1; unshare -m true 2>&1; ls / > /dev/null && echo works",
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({ seccomp: { type: "runtime-default" } });
      },
    });
    assert.match(output, /Operation not permitted[^]*Operation not permitted[^]*works/);
  });

  it("runs with the default filter and every capability that the machine gives", async () => {
    const output = await runContainer({
      script: "unshare -u true && echo namespace; grep ^Seccomp: /proc/self/status",
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({
          capabilities: { add: ["ALL"], drop: [], addAmbient: [] },
          seccomp: { type: "runtime-default" },
        });
      },
    });
    assert.deepEqual(output.split(/\s+/), ["namespace", "Seccomp:", "2"]);
  });

  it("gives a non-root user the ambient capabilities of the request", async () => {
    const output = await runContainer({
      script: "grep -E '^CapEff:' /proc/self/status",
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({
          runAsUser: 1000,
          capabilities: { add: [], drop: ["ALL"], addAmbient: ["NET_BIND_SERVICE"] },
        });
      },
    });
    assert.match(output, /0000000000000400$/);
  });

  it("shows a privileged container the host's devices, a writable sysfs and unmasked files", async () => {
    const hostDevices = await security.hostDevices();
    const output = await runContainer({
      script: "test -c /dev/kmsg && echo device; grep -E ' /sys ' /proc/mounts | cut -d ' ' -f 4 | cut -d , -f 1",
      adapt({ container }) {
        container.hostDevices = hostDevices;
        container.request.linux.securityContext = exampleSecurityContext({
          privileged: true,
          maskedPaths: ["/proc/kcore"],
          seccomp: { type: "runtime-default" },
        });
      },
    });
    assert.deepEqual(output.split("\n"), ["device", "rw"]);
  });

  it("masks and protects the paths that the kubelet names", async () => {
    const output = await runContainer({
      script: "wc -c < /proc/timer_list; touch /proc/sys/kernel/domainname 2>&1; mount | grep -c '/proc/sys '",
      adapt({ container }) {
        container.request.linux.securityContext = exampleSecurityContext({
          maskedPaths: ["/proc/timer_list"],
          readonlyPaths: ["/proc/sys"],
        });
      },
    });
    assert.match(output, /^0\n[^]*Read-only file system\n1$/);
  });

  it("mounts volumes read-write and read-only, parents first", async () => {
    const volume = path.join(directory, "volume");
    await writeFile(path.join(volume, "file"), "content");
    const source = await security.mountSource({ hostPath: volume, propagation: "private" });
    const output = await runContainer({
      script: "cat /data/inner/file; echo; touch /data/new && echo written; touch /data/inner/new 2>&1 || true",
      adapt({ container }) {
        container.volumes = [
          { request: exampleMount({ containerPath: "/data/inner", readonly: true }), source },
          {
            request: exampleMount({ containerPath: "/data" }),
            source: { ...source, path: path.join(directory, "rootfs/tmp") },
          },
        ];
      },
    });
    assert.match(output, /^content\nwritten\n[^]*Read-only file system$/);
  });

  it("limits memory, CPU and processes, and clamps what the daemon itself may not exceed", async () => {
    const output = await runContainer({
      script:
        "cat /proc/self/oom_score_adj; ulimit -n; cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
      adapt({ policy, container }) {
        policy.defaultUlimits = ["nofile=512:1024", "core=0:-1"];
        container.request.linux.resources = {
          ...noResources,
          memoryLimitBytes: 64 << 20,
          cpuShares: 512,
          cpuQuotaUs: 50_000,
          cpuPeriodUs: 100_000,
          oomScoreAdj: 500,
          hugepageLimits: [{ pageSize: "2MB", limitBytes: 0 }],
        };
      },
    });
    assert.deepEqual(output.split("\n"), ["500", "512", String(64 << 20)]);
  });

  it("starts with an oom_score_adj and an open file limit that the daemon could not give", async () => {
    const output = await runContainer({
      script: "cat /proc/self/oom_score_adj; ulimit -n",
      adapt({ host, policy, container }) {
        policy.defaultUlimits = ["nofile=1048576:1048576"];
        container.request.linux.resources = { ...noResources, oomScoreAdj: -997 };
        host.capabilities = { ...host.capabilities, effective: [] };
      },
    });
    const { oomScoreAdj, rlimits } = security.facts;
    const highest = Math.min(1_048_576, rlimits["RLIMIT_NOFILE"]?.hard ?? 0);
    assert.deepEqual(output.split("\n"), [String(oomScoreAdj), String(highest)]);
  });

  it("joins the namespaces of its pod", async () => {
    const output = await runContainer({ script: "hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc" });
    const { network = "", ipc = "" } = pod.namespaces;
    assert.deepEqual(output.split("\n"), ["web", await readlink(network), await readlink(ipc)]);
  });

  it("runs as the mapped root in the user namespace of its pod", async () => {
    const output = await runContainer({
      script: "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; mount | grep -c ' /sys '",
      adapt({ sandbox, container }) {
        sandbox.namespaces = userPod.namespaces;
        const namespaceOptions = { ...podNamespaces, userns: { mode: "pod" as const, uids: [mapped], gids: [mapped] } };
        container.request.linux.securityContext = exampleSecurityContext({ namespaceOptions });
      },
    });
    const user = await readlink(userPod.namespaces.user ?? "");
    assert.deepEqual(output.split(/\s+/), ["0", "0", "100000", "65536", user, "1"]);
  });

  it("gives a device with the permissions of the request", async () => {
    const nodes = await security.devicesAt("/dev/kmsg");
    const output = await runContainer({
      script: "test -c /dev/log-of-kernel && echo there; ls /dev | grep -c '^kmsg$' || true",
      adapt({ container }) {
        container.devices = [
          { request: { hostPath: "/dev/kmsg", containerPath: "/dev/log-of-kernel", permissions: "r" }, nodes },
        ];
        container.request.command = [
          "sh",
          "-c",
          "test -c /dev/log-of-kernel && echo there; ls /dev | grep -c '^kmsg$' || true",
        ];
      },
    });
    assert.deepEqual(output.split("\n"), ["there", "0"]);
  });
});

/** Older crun has no `features`. */
async function featuresOf(runtime: string): Promise<OciFeatures> {
  return execute(runtime, ["features"]).then(
    ({ stdout }) => JSON.parse(stdout) as OciFeatures,
    () => ({}),
  );
}

/** The runtime removes a container's cgroups, but not their parent. */
async function removeCgroups(parent: string): Promise<void> {
  const hierarchies = await readdir("/sys/fs/cgroup");
  for (const hierarchy of ["", ...hierarchies])
    await rmdir(path.join("/sys/fs/cgroup", hierarchy, parent)).catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    });
}

/** A process whose namespaces stand in for those that a pod has pinned. */
interface StandInPod {
  namespaces: SandboxNamespaces;
  stop(): void;
}

const mapped = { hostId: 100_000, containerId: 0, length: 65_536 };

async function startPod(flags: string[]): Promise<StandInPod> {
  const script = "read go; echo ready; exec sleep 600";
  const child = spawn("unshare", [...flags, "--net", "--ipc", "--uts", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child, "spawn");
  const own = await readlink("/proc/self/ns/uts");
  await eventually("unshare has made the namespaces", async () =>
    (await readlink(`/proc/${child.pid}/ns/uts`)) === own ? undefined : true,
  );
  if (flags.includes("--user"))
    for (const file of ["uid_map", "gid_map"])
      await writeFile(`/proc/${child.pid}/${file}`, `${mapped.containerId} ${mapped.hostId} ${mapped.length}`);
  child.stdin.write("go\n");
  await once(child.stdout, "data");
  const at = (name: string): string => `/proc/${child.pid}/ns/${name}`;
  const user = flags.includes("--user") ? { user: at("user") } : {};
  return {
    namespaces: { network: at("net"), ipc: at("ipc"), uts: at("uts"), ...user },
    stop() {
      child.kill("SIGKILL");
    },
  };
}

async function makeRootfs(rootfs: string): Promise<void> {
  for (const name of ["bin", "proc", "sys", "dev", "etc", "tmp"])
    await mkdir(path.join(rootfs, name), { recursive: true });
  await copyFile("/bin/busybox", path.join(rootfs, "bin/busybox"));
  const { stdout } = await execute("/bin/busybox", ["--list"]);
  for (const applet of stdout
    .trim()
    .split("\n")
    .filter((name) => name !== "busybox"))
    await symlink("busybox", path.join(rootfs, "bin", applet));
}
