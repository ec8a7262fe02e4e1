import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import {
  ContainerState,
  ImageService,
  MountPropagation,
  RuntimeService,
  SecurityProfile_ProfileType,
  Signal,
  SupplementalGroupsPolicy,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { buildImage } from "../support/image-builder.ts";
import { busyboxEntries } from "../support/busybox.ts";
import { cgroupHierarchies } from "../support/footprint.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exec,
  exited,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  startContainer,
  type ContainerConfig,
  type Pod,
  type SecurityContext,
  untilTerminated,
} from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("a container's options", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let shared: Promise<Pod> | undefined;
  let serial = 0;

  /** One pod for all tests here: they differ in their containers only. */
  const pod = (): Promise<Pod> => (shared ??= runPod(suite.daemon, "options"));

  /** What a shell script in a new container wrote. */
  async function output(script: string, more: ContainerConfig = {}): Promise<string> {
    serial += 1;
    const config = containerConfig(suite.busybox, `c${serial}`, ["sh", "-c", script], more);
    const { stdout, stderr, status } = await runToEnd(suite.daemon, await pod(), config);
    assert.equal(status.exitCode, 0, `${stderr}${status.message}`);
    return stdout.trimEnd();
  }

  const secured = (securityContext: SecurityContext): ContainerConfig => ({ linux: { securityContext } });
  const folder = (name: string): string => {
    const place = path.join(suite.daemon.places.folder, "volumes", name);
    mkdirSync(place, { recursive: true });
    return place;
  };

  it("set environment variables over those of the image", async () => {
    const envs = [
      { key: "GREETING", value: Buffer.from("hello = world") },
      { key: "PATH", value: Buffer.from("/bin:/own") },
    ];
    assert.equal(await output('echo "$GREETING,$PATH"', { envs }), "hello = world,/bin:/own");
  });

  it("take command, arguments, directory, user and variables of the image where the request has none", async () => {
    const { daemon, registry } = suite;
    const config = {
      Entrypoint: ["sh", "-c"],
      Cmd: ["pwd; id -u; echo $FROM"],
      Env: ["FROM=image"],
      WorkingDir: "/var/tmp",
      User: "app",
    };
    const image = buildImage({ layers: [{ entries: busyboxEntries() }], config });
    const reference = await registry.push(image, "test/defaults", "1");
    await pull(daemon, reference);
    const run = async (name: string, more: ContainerConfig): Promise<string> =>
      (await runToEnd(daemon, await pod(), containerConfig(reference, name, [], more))).stdout;
    assert.equal(await run("as-image", {}), "/var/tmp\n1000\nimage\n");
    assert.equal(await run("with-args", { args: ["echo only args"] }), "only args\n");
    assert.equal(await run("with-command", { command: ["echo", "all"] }), "all\n");
  });

  it("set the working directory and make it when the image lacks it", async () => {
    assert.equal(await output("pwd", { workingDir: "/made/on/the/way" }), "/made/on/the/way");
  });

  it("choose the user by number or by name, with the groups that the image gives the user", async () => {
    const id = "id -u; id -g; id -G";
    assert.equal(
      await output(id, secured({ runAsUser: { value: 1234n }, runAsGroup: { value: 55n } })),
      "1234\n55\n55",
    );
    assert.equal(await output(id, secured({ runAsUsername: "app" })), "1000\n1000\n1000 29 2000");
  });

  it("give supplemental groups, without those of the image under the strict policy", async () => {
    const groups = { runAsUser: { value: 1000n }, supplementalGroups: [777n] };
    assert.match(await output("id -G", secured(groups)), /^1000 .*\b777\b/);
    const strict = { ...groups, supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict };
    const strictly = (await output("id -G", secured({ ...strict, runAsGroup: { value: 1000n } }))).split(" ").sort();
    assert.deepEqual(strictly, ["1000", "777"]);
  });

  it("add and drop capabilities", async () => {
    const effective = "grep CapEff /proc/self/status | cut -f 2";
    const maskOf = async (more: ContainerConfig): Promise<bigint> => BigInt(`0x${await output(effective, more)}`);
    const bit = (number: number): bigint => 1n << BigInt(number);
    const [netBind, netAdmin] = [bit(10), bit(12)];
    const plain = await maskOf({});
    assert.equal(plain & netAdmin, 0n);
    assert.equal(plain & netBind, netBind);
    assert.equal((await maskOf(secured({ capabilities: { addCapabilities: ["NET_ADMIN"] } }))) & netAdmin, netAdmin);
    assert.equal((await maskOf(secured({ capabilities: { dropCapabilities: ["NET_BIND_SERVICE"] } }))) & netBind, 0n);
    assert.equal(await maskOf(secured({ capabilities: { dropCapabilities: ["ALL"] } })), 0n);
    assert.equal(await maskOf(secured({ privileged: true })), ownBoundingSet());
  });

  it("make the root file system read-only", async () => {
    assert.match(await output("touch /x 2>&1 || true", secured({ readonlyRootfs: true })), /Read-only file system/);
    assert.equal(await output("touch /x && echo written"), "written");
  });

  it("forbid new privileges", async () => {
    const look = "grep NoNewPrivs /proc/self/status | cut -f 2";
    assert.equal(await output(look, secured({ noNewPrivs: true })), "1");
    assert.equal(await output(look, secured({ noNewPrivs: false })), "0");
  });

  it("mask paths and make paths read-only", async () => {
    const more = secured({ maskedPaths: ["/proc/keys"], readonlyPaths: ["/proc/sys"] });
    const script = "wc -c </proc/keys; echo 1 >/proc/sys/net/ipv4/ip_forward 2>/dev/null || echo refused";
    assert.equal(await output(script, more), "0\nrefused");
  });

  it("filter system calls by default and leave them alone when unconfined", async () => {
    const mode = "grep '^Seccomp:' /proc/self/status | cut -f 2";
    const profile = (profileType: SecurityProfile_ProfileType) => secured({ seccomp: { profileType } });
    assert.equal(await output(mode, profile(SecurityProfile_ProfileType.RuntimeDefault)), "2");
    assert.equal(await output(mode, profile(SecurityProfile_ProfileType.Unconfined)), "0");
  });

  it("load a seccomp profile of the host", async () => {
    const file = path.join(folder("seccomp"), "no-mkdir.json");
    const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }];
    writeFileSync(file, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
    const seccomp = { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: file };
    assert.equal(await output("mkdir /x 2>/dev/null || echo refused", secured({ seccomp })), "refused");
  });

  it("mount paths of the host, read-only where asked", async () => {
    const hostPath = folder("mounts");
    writeFileSync(path.join(hostPath, "file"), "from the host");
    const mounts = [
      { hostPath, containerPath: "/rw" },
      { hostPath, containerPath: "/ro", readonly: true },
      { hostPath: path.join(hostPath, "file"), containerPath: "/single" },
    ];
    const script = "cat /single; echo back >/rw/back; touch /ro/x 2>/dev/null || echo ' refused'";
    assert.equal(await output(script, { mounts }), "from the host refused");
    assert.equal(readFileSync(path.join(hostPath, "back"), "utf8"), "back\n");
  });

  it("propagate mounts from the host as asked", async () => {
    const hostPath = folder("propagation");
    execFileSync("mount", ["-t", "tmpfs", "propagation", hostPath]);
    execFileSync("mount", ["--make-shared", hostPath]);
    try {
      const look = async (propagation: MountPropagation): Promise<string> => {
        const mounts = [{ hostPath, containerPath: "/volume", propagation }];
        return output("grep ' /volume ' /proc/self/mountinfo", { mounts });
      };
      assert.doesNotMatch(await look(MountPropagation.PROPAGATION_PRIVATE), /shared:|master:/);
      assert.match(await look(MountPropagation.PROPAGATION_HOST_TO_CONTAINER), /master:/);
      assert.match(await look(MountPropagation.PROPAGATION_BIDIRECTIONAL), /shared:/);
    } finally {
      execFileSync("umount", [hostPath]);
    }
  });

  it("pass devices of the host with the permissions asked for", async (t) => {
    const hostPath = ["/dev/loop-control", "/dev/btrfs-control", "/dev/hwrng"].find((file) => existsSync(file));
    if (hostPath === undefined) return t.skip("this machine has no device that root alone may open");
    const devices = [{ hostPath, containerPath: "/dev/mine", permissions: "r" }];
    const script = "(: </dev/mine) && echo read; (: >/dev/mine) 2>/dev/null || echo refused";
    assert.equal(await output(script, { devices }), "read\nrefused");
  });

  it("show a privileged container the devices of the host", async () => {
    assert.match(await output("ls /dev", secured({ privileged: true })), /^(kmsg|loop-control|vda|sda|ttyS0)$/m);
    assert.doesNotMatch(await output("ls /dev"), /^(kmsg|loop-control|vda|sda|ttyS0)$/m);
  });

  it("limit memory and processor, and change the limits of a running container", async () => {
    const { daemon, busybox } = suite;
    const resources = { memoryLimitInBytes: 64n << 20n, cpuQuota: 20_000n, cpuPeriod: 100_000n, cpuShares: 512n };
    const config = containerConfig(busybox, "limited", untilTerminated, { linux: { resources } });
    const containerId = await runContainer(daemon, await pod(), config);
    const limit = async (): Promise<bigint> => {
      const { pid } = JSON.parse(
        (await daemon.client.call(RuntimeService.method.containerStatus, { containerId, verbose: true })).info[
          "info"
        ] ?? "{}",
      ) as { pid: number };
      return memoryLimitOf(pid);
    };
    assert.equal(await limit(), 64n << 20n);
    await daemon.client.call(RuntimeService.method.updateContainerResources, {
      containerId,
      linux: { memoryLimitInBytes: 96n << 20n },
    });
    assert.equal(await limit(), 96n << 20n);
    assert.equal((await containerStatus(daemon, containerId)).resources?.linux?.memoryLimitInBytes, 96n << 20n);
    await daemon.client.call(RuntimeService.method.removeContainer, { containerId });
  });

  it("name the reason OOMKilled when the memory limit ended the container", async () => {
    const { daemon, busybox } = suite;
    const config = containerConfig(busybox, "oom", ["dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1"], {
      linux: { resources: { memoryLimitInBytes: 16n << 20n } },
    });
    const { status } = await runToEnd(daemon, await pod(), config);
    assert.equal(status.reason, "OOMKilled");
    assert.equal(status.exitCode, 137);
  });

  it("set the score of the OOM killer", async () => {
    assert.equal(await output("cat /proc/self/oom_score_adj", { linux: { resources: { oomScoreAdj: 321n } } }), "321");
  });

  it("give a terminal when asked", async () => {
    const more = { tty: true };
    const text = await output("test -t 1 && echo terminal $TERM", more);
    assert.equal(text.trim(), "terminal xterm");
  });

  it("stop by the signal of the request, or of the image", async () => {
    const { daemon, busybox } = suite;
    const onSignal = ["sh", "-c", 'trap "exit 42" USR1; while true; do sleep 1 & wait $!; done'];
    const config = containerConfig(busybox, "by-request", onSignal, { stopSignal: Signal.SIGUSR1 });
    const id = await runContainer(daemon, await pod(), config);
    await exec(daemon, id, ["true"]);
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 20n });
    assert.equal((await exited(daemon, id)).exitCode, 42);
  });

  it("stop by SIGTERM where the image names a signal that is none", async () => {
    const { daemon, registry } = suite;
    const image = buildImage({ layers: [{ entries: busyboxEntries() }], config: { StopSignal: "SIGNONE" } });
    const name = await registry.push(image, "test/signal", "1");
    await pull(daemon, name);
    const id = await runContainer(daemon, await pod(), containerConfig(name, "signal", untilTerminated));
    await eventually(
      "the trap to be set",
      async () =>
        (await exec(daemon, id, ["sh", "-c", "grep -q 'SigCgt:.*4...$' /proc/1/status && echo yes"])).stdout ||
        undefined,
    );
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 60n });
    assert.equal((await exited(daemon, id)).exitCode, 0);
    assert.match(daemon.log(), /stop signal of a container cannot be sent.*SIGNONE/);
  });

  it("show in the status what was asked: mounts, log path, image, labels, times", async () => {
    const { daemon, busybox } = suite;
    const hostPath = folder("status");
    const config = containerConfig(busybox, "shown", ["sh", "-c", "exit 3"], {
      labels: { a: "b" },
      annotations: { c: "d" },
      mounts: [{ hostPath, containerPath: "/m", readonly: true }],
    });
    const id = await createContainer(daemon, await pod(), config);
    const created = await containerStatus(daemon, id);
    assert.equal(created.state, ContainerState.CONTAINER_CREATED);
    assert.equal(created.startedAt, 0n);
    await startContainer(daemon, id);
    const status = await exited(daemon, id);
    assert.deepEqual([status.exitCode, status.reason], [3, "Error"]);
    assert.deepEqual([status.labels["a"], status.annotations["c"]], ["b", "d"]);
    assert.equal(status.image?.image, busybox);
    const { image } = await daemon.client.call(ImageService.method.imageStatus, { image: { image: busybox } });
    assert.equal(status.imageId, image?.id);
    assert.ok([image?.id, ...(image?.repoDigests ?? [])].includes(status.imageRef), status.imageRef);
    assert.ok(status.logPath.endsWith("/shown/0.log"));
    assert.ok(
      status.mounts.some((mount) => mount.containerPath === "/m" && mount.hostPath === hostPath && mount.readonly),
    );
    assert.ok(status.createdAt <= status.startedAt && status.startedAt <= status.finishedAt);
  });

  it("leave nothing of a container when it is removed", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const { id } = await runToEnd(daemon, await pod(), containerConfig(busybox, "brief", ["true"]));
    await daemon.client.call(RuntimeService.method.removeContainer, { containerId: id });
    await daemon.client.call(RuntimeService.method.removeContainer, { containerId: id });
    await daemon.holdsNoMoreThan(before);
  });

  it("end with the pod", async () => {
    await removePod(suite.daemon, (await pod()).id);
    const { containers } = await suite.daemon.client.call(RuntimeService.method.listContainers, {});
    assert.deepEqual(containers, []);
  });
});

/** What no process here can have more of; the machine may lack a capability. */
function ownBoundingSet(): bigint {
  const [, hex = ""] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return BigInt(`0x${hex}`);
}

/** The memory limit of a process's cgroup, in either version of cgroups. */
function memoryLimitOf(pid: number): bigint {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const v1 = lines.find(([, controllers = ""]) => controllers.split(",").includes("memory"))?.[2];
  const root = cgroupHierarchies()[0] ?? "/sys/fs/cgroup";
  const file =
    v1 === undefined
      ? path.join(root, lines.find(([id]) => id === "0")?.[2] ?? "", "memory.max")
      : path.join("/sys/fs/cgroup/memory", v1, "memory.limit_in_bytes");
  return BigInt(readFileSync(file, "utf8").trim());
}
