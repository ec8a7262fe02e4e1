import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Footprint } from "../support/footprint.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  createContainer,
  podConfig,
  runContainer,
  runPod,
  runToEnd,
  type ContainerConfig,
  type PodConfig,
  untilTerminated,
} from "../support/pods.ts";
import { anyFailure, rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { runPodSandbox, createContainer: createRpc, version } = RuntimeService.method;

describe("bad input about pods and containers", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let before: Footprint;
  beforeEach(() => {
    before = suite.daemon.footprint();
  });
  afterEach(async () => {
    const { client } = suite.daemon;
    assert.equal((await client.call(version, {})).runtimeApiVersion, "v1");
    await suite.daemon.removeAllPods();
    await suite.daemon.holdsNoMoreThan(before);
  });

  it("empty metadata is refused", async () => {
    const { daemon, busybox } = suite;
    const { client } = daemon;
    await rejects(client.call(runPodSandbox, {}), "INVALID_ARGUMENT");
    await rejects(client.call(runPodSandbox, { config: {} }), "INVALID_ARGUMENT");
    await rejects(
      client.call(runPodSandbox, { config: { metadata: { name: "", namespace: "n", uid: "u" } } }),
      "INVALID_ARGUMENT",
    );
    const pod = await runPod(daemon, "metadata");
    await rejects(client.call(createRpc, { podSandboxId: pod.id, sandboxConfig: pod.config }), "INVALID_ARGUMENT");
    const nameless = { image: { image: busybox }, command: ["true"] };
    await rejects(createContainer(daemon, pod, nameless), "INVALID_ARGUMENT");
    await rejects(createContainer(daemon, pod, { metadata: { name: "n" }, command: ["true"] }), "INVALID_ARGUMENT");
  });

  it("an unknown runtime handler is refused by name", async () => {
    await rejects(runPod(suite.daemon, "handler", {}, "no-such-handler"), anyFailure, /no-such-handler/);
  });

  it("a bandwidth that is none is refused before anything is made, and named", async () => {
    const annotations = { "kubernetes.io/egress-bandwidth": "fast" };
    await rejects(
      runPod(suite.daemon, "bandwidth", { annotations }),
      "INVALID_ARGUMENT",
      /^annotation kubernetes\.io\/egress-bandwidth: "fast" is no bandwidth$/,
    );
  });

  it("texts that cannot be where they go are refused before anything is made, and named", async () => {
    const { daemon, busybox } = suite;
    const { cgroupParent } = daemon.places;
    const refused = (config: Partial<PodConfig>, ...words: RegExp[]): Promise<void> =>
      rejects(runPod(daemon, "texts", config), "INVALID_ARGUMENT", ...words);
    const metadata = { uid: "u", namespace: "n", attempt: 0 };
    await refused({ hostname: "a\nb" }, /^config\.hostname/);
    await refused({ metadata: { ...metadata, name: "a;IP=1.2.3.4" } }, /^metadata\.name/);
    await refused({ metadata: { ...metadata, name: "a\nb" } }, /^config\.metadata\.name/);
    await refused({ dnsConfig: { searches: ["a\nnameserver 1.2.3.4"] } }, /^config\.dns_config/);
    await refused({ portMappings: [{ containerPort: 80, hostPort: 18_080, hostIp: "here" }] }, /host_ip "here"/);
    await refused({ linux: { cgroupParent: `${cgroupParent}\0` } }, /^config\.linux\.cgroup_parent/);
    assert.doesNotMatch(daemon.log(), /cannot be undone|while undoing/);
    const pod = await runPod(daemon, "texts");
    const more: ContainerConfig = { envs: [{ key: "A=B", value: new Uint8Array() }] };
    await rejects(createContainer(daemon, pod, containerConfig(busybox, "main", ["a\0"])), "INVALID_ARGUMENT", /NUL/);
    await rejects(createContainer(daemon, pod, containerConfig(busybox, "main", ["a"], more)), "INVALID_ARGUMENT");
  });

  it("a sysctl whose name leads out of the sysctls of its namespace is refused", async () => {
    const { daemon } = suite;
    const hostValue = readFileSync("/proc/sys/kernel/panic", "utf8");
    const sysctls = { "net.//.kernel.panic": String(Number(hostValue) + 1) };
    const made = runPod(daemon, "sysctl-path", { linux: { cgroupParent: daemon.places.cgroupParent, sysctls } });
    await made.catch(() => {});
    const after = readFileSync("/proc/sys/kernel/panic", "utf8");
    if (after !== hostValue) writeFileSync("/proc/sys/kernel/panic", hostValue);
    assert.equal(after, hostValue);
    await rejects(made, "INVALID_ARGUMENT", /^config\.linux\.sysctls/);
  });

  it("a sysctl that would change the whole machine is not set, and the log says so", async () => {
    const { daemon } = suite;
    const hostValue = readFileSync("/proc/sys/kernel/panic", "utf8");
    const sysctls = { "kernel.panic": String(Number(hostValue) + 1) };
    await runPod(daemon, "sysctl", { linux: { cgroupParent: daemon.places.cgroupParent, sysctls } });
    assert.equal(readFileSync("/proc/sys/kernel/panic", "utf8"), hostValue);
    assert.match(daemon.log(), /kernel\.panic/);
  });

  it("an image that is not there is not found when a container wants it", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "image");
    const config = containerConfig("127.0.0.1:1/no/image:here", "main", ["true"]);
    await rejects(createContainer(daemon, pod, config), "NOT_FOUND", /no\/image:here/);
  });

  it("a command that does not exist in the image fails the start and is named", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "command");
    await rejects(
      runContainer(daemon, pod, containerConfig(busybox, "main", ["/no/such/program"])),
      anyFailure,
      /\/no\/such\/program/,
    );
  });

  it("an unknown user is refused by name", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "user");
    const more: ContainerConfig = { linux: { securityContext: { runAsUsername: "nobody-knows" } } };
    await rejects(
      createContainer(daemon, pod, containerConfig(busybox, "main", ["true"], more)),
      anyFailure,
      /nobody-knows/,
    );
  });

  it("a container that fails while it is prepared has no process once that is told", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "prepared");
    const { processes } = daemon.footprint();
    const more: ContainerConfig = { linux: { securityContext: { runAsUsername: "nobody-knows" } } };
    const config = containerConfig(busybox, "main", ["true"], more);
    await assert.rejects(createContainer(daemon, pod, config));
    // At once: a monitor that was left alone would find out later, and go away by itself.
    assert.deepEqual(daemon.footprint().processes, processes);
  });

  it("a mount source that cannot be is refused, and a missing one is made", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "mounts");
    const folder = path.join(daemon.places.folder, "volumes");
    mkdirSync(folder, { recursive: true });
    symlinkSync("b", path.join(folder, "a"));
    symlinkSync("a", path.join(folder, "b"));
    const mounting = (name: string): ContainerConfig => ({
      mounts: [{ hostPath: path.join(folder, name), containerPath: "/mnt" }],
    });
    const cycle = containerConfig(busybox, "cycle", ["true"], mounting("a"));
    await rejects(createContainer(daemon, pod, cycle), anyFailure, /volumes\/a/);
    const missing = await runToEnd(daemon, pod, containerConfig(busybox, "missing", ["ls", "/mnt"], mounting("made")));
    assert.equal(missing.status.exitCode, 0);
    assert.ok(existsSync(path.join(folder, "made")));
  });

  it("a pod that does not exist is not found", async () => {
    const { daemon, busybox } = suite;
    const request = {
      podSandboxId: "0".repeat(64),
      config: containerConfig(busybox, "main", ["true"]),
      sandboxConfig: podConfig(daemon, "none"),
    };
    await rejects(daemon.client.call(createRpc, request), "NOT_FOUND");
  });

  it("a container of another pod is no target whose processes can be seen", async () => {
    const { daemon, busybox } = suite;
    const [pod, other] = [await runPod(daemon, "debugged"), await runPod(daemon, "other")];
    const target = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    const namespaceOptions = { pid: NamespaceMode.TARGET, targetId: target };
    const more: ContainerConfig = { linux: { securityContext: { namespaceOptions } } };
    const debugging = containerConfig(busybox, "debug", ["pidof", "sleep"], more);
    await rejects(createContainer(daemon, other, debugging), "INVALID_ARGUMENT", new RegExp(target), /is not of pod/);
    assert.equal((await runToEnd(daemon, pod, debugging)).status.exitCode, 0);
  });

  it("an id prefix that fits several is refused as ambiguous", async () => {
    const { daemon } = suite;
    const pods = await Promise.all(Array.from({ length: 17 }, (_, index) => runPod(daemon, `prefix-${index}`)));
    const firsts = pods.map(({ id }) => id.slice(0, 1));
    const ambiguous = firsts.find((letter, index) => firsts.indexOf(letter) !== index);
    assert.ok(ambiguous !== undefined, "of 17 ids two begin alike");
    const { podSandboxStatus } = RuntimeService.method;
    await rejects(
      daemon.client.call(podSandboxStatus, { podSandboxId: ambiguous }),
      ["INVALID_ARGUMENT", "NOT_FOUND"],
      /ambiguous|more than one|several|multiple/i,
    );
  });

  it("containers of two equal requests at once are one container", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "equal");
    const config = containerConfig(busybox, "main", untilTerminated);
    const ids = await Promise.all([createContainer(daemon, pod, config), createContainer(daemon, pod, config)]);
    assert.equal(ids[0], ids[1]);
  });
});
