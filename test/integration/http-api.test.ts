import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { cgroupFile } from "../support/cgroup-of.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { get } from "../support/http.ts";
import {
  containerConfig,
  containerStatus,
  exited,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  stopPod,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const berth = path.resolve(import.meta.dirname, "../../bin/berth");
const run = promisify(execFile);
const counting = ["sh", "-c", 'trap "exit 0" TERM; i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done'];

describe("HTTP on the CRI socket", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  const ask = async (url: string) => {
    const { status, body } = await get({ socketPath: suite.daemon.places.socket }, url);
    return { status, body };
  };

  it("tells where the daemon stores things, while gRPC is served beside it", async () => {
    const { daemon } = suite;
    const [info, version] = await Promise.all([ask("/info"), daemon.client.call(RuntimeService.method.version, {})]);
    const facts = JSON.parse(info.body) as Record<string, unknown>;
    assert.equal(facts["storage_root"], daemon.places.root);
    assert.equal(facts["cgroup_driver"], process.env["BERTH_TEST_CGROUP_MANAGER"] ?? "cgroupfs");
    assert.equal(version.runtimeName, "cri-o");
  });

  it("tells of a running container its pid, addresses and annotations, and of its pod the same network", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "asked");
    const id = await runContainer(daemon, pod, containerConfig(busybox, "app", counting));
    const of = async (one: string) => JSON.parse((await ask(`/containers/${one}`)).body) as Record<string, unknown>;
    const container = await of(id);
    // The runtime's own process becomes the program a moment after it was told to.
    const argv = (): string => readFileSync(`/proc/${String(container["pid"])}/cmdline`, "utf8");
    await eventually("the process to be the program", () => argv().startsWith("sh") || undefined);
    assert.equal(container["sandbox"], pod.id);
    assert.match(String(container["name"]), /^k8s_app_asked_.*_0$/);
    assert.equal((container["crio_annotations"] as Record<string, string>)["io.kubernetes.cri-o.SandboxID"], pod.id);
    assert.equal(container["log_path"], (await containerStatus(daemon, id)).logPath);
    const root = String(container["root"]);
    assert.ok(existsSync(path.join(root, "bin", "sh")));
    // As cAdvisor finds what the container has written.
    assert.ok(existsSync(path.join(root.replace(/\/merged$/, ""), "diff")));
    const infra = await of(pod.id);
    assert.equal(infra["pid"], container["pid"]);
    assert.deepEqual(infra["ip_addresses"], container["ip_addresses"]);
    await removePod(daemon, pod.id);
    assert.equal((await ask(`/containers/${id}`)).status, 404);
  });

  it("tells of a pod that cAdvisor has noticed by a cgroup of its own, which goes when the pod stops", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "noticed");
    const scope = process.env["BERTH_TEST_CGROUP_MANAGER"] === "systemd" ? ".scope" : "";
    const group = path.join(daemon.places.cgroupParent, `crio-${pod.id}${scope}`);
    const procs = cgroupFile("memory", group, "cgroup.procs");
    await eventually("the group to be made", () => existsSync(procs) || undefined);
    assert.equal(readFileSync(procs, "utf8"), "");
    assert.equal((await ask(`/containers/${pod.id}`)).status, 200);
    await stopPod(daemon, pod.id);
    assert.equal(existsSync(procs), false);
    await removePod(daemon, pod.id);
  });

  it("pauses a container, which can still be stopped", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "paused");
    const containerId = await runContainer(daemon, pod, containerConfig(busybox, "app", counting));
    const log = (await containerStatus(daemon, containerId)).logPath;
    const lines = () => readFileSync(log, "utf8").split("\n").length;
    await eventually("the container to write", () => (lines() > 2 ? true : undefined));
    assert.deepEqual(await ask(`/pause/${containerId}`), { status: 200, body: "200 OK" });
    assert.equal((await ask(`/pause/${containerId}`)).status, 409);
    const { exec, execSync } = RuntimeService.method;
    const cmd = ["true"];
    await rejects(daemon.client.call(execSync, { containerId, cmd }), "FAILED_PRECONDITION", /is paused/);
    await rejects(daemon.client.call(exec, { containerId, cmd, stdout: true }), "FAILED_PRECONDITION", /is paused/);
    const before = lines();
    assert.deepEqual(await ask(`/unpause/${containerId}`), { status: 200, body: "200 OK" });
    assert.equal((await ask(`/unpause/${containerId}`)).status, 409);
    await eventually("the container to go on", () => (lines() > before ? true : undefined));

    await ask(`/pause/${containerId}`);
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId, timeout: 10n });
    assert.equal((await exited(daemon, containerId)).exitCode, 0);
    await removePod(daemon, pod.id);
  });

  it("answers the questions of berth status", async () => {
    const { daemon, busybox } = suite;
    const status = async (...words: string[]) =>
      (await run(berth, ["status", "-s", daemon.places.socket, ...words])).stdout;
    assert.match(await status("info"), /^storage driver: overlay$/m);
    assert.match(await status("config"), /^\[crio\.runtime\]$/m);
    const pod = await runPod(daemon, "named");
    const { id } = await runToEnd(daemon, pod, containerConfig(busybox, "app", ["true"]));
    assert.match(await status("containers", "-i", id), /^pid: 0$/m);
    await assert.rejects(status("containers", "-i", "ffff"), /there is no/);
    await removePod(daemon, pod.id);
  });
});
