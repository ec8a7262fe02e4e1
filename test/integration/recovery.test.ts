import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { ContainerState, PodSandboxState, RuntimeService, type ContainerStatus } from "#cri/gen/runtime/v1/api_pb.ts";
import { cgroupFile } from "../support/cgroup-of.ts";
import { parseLog } from "../support/cri-log.ts";
import { prepareDaemon } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exec,
  exited,
  podStatus,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  startContainer,
  stopPod,
  untilTerminated,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { listContainers, listPodSandbox, runPodSandbox } = RuntimeService.method;

/** What must not change by a restart. */
const lastingFields = [
  "id",
  "state",
  "createdAt",
  "startedAt",
  "finishedAt",
  "exitCode",
  "reason",
  "logPath",
  "image",
  "imageId",
  "labels",
] as const satisfies (keyof ContainerStatus)[];

/** Three programs that start at once on a machine that is busy with other things: each may take as long as one elsewhere. */
const startsTimeoutMs = 60_000;

const lasting = (status: ContainerStatus) => lastingFields.map((field) => [field, status[field]]);

describe("a daemon that was killed and started again", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  it("knows every pod and container with its state", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "known", { labels: { kept: "yes" } });
    const stopped = await runPod(daemon, "known-stopped");
    await stopPod(daemon, stopped.id);
    const running = await runContainer(daemon, pod, containerConfig(busybox, "running", untilTerminated));
    const created = await createContainer(daemon, pod, containerConfig(busybox, "created", ["true"]));
    const { id: ended } = await runToEnd(daemon, pod, containerConfig(busybox, "ended", ["sh", "-c", "exit 5"]));
    const before = await Promise.all([running, created, ended].map((id) => containerStatus(daemon, id)));
    const podBefore = await podStatus(daemon, pod.id);
    await daemon.restart();
    const after = await Promise.all([running, created, ended].map((id) => containerStatus(daemon, id)));
    assert.deepEqual(after.map(lasting), before.map(lasting));
    assert.deepEqual(
      after.map(({ state }) => state),
      [ContainerState.CONTAINER_RUNNING, ContainerState.CONTAINER_CREATED, ContainerState.CONTAINER_EXITED],
    );
    assert.deepEqual(await podStatus(daemon, pod.id), podBefore);
    assert.equal((await podStatus(daemon, stopped.id)).state, PodSandboxState.SANDBOX_NOTREADY);
    await startContainer(daemon, created);
    assert.equal((await exited(daemon, created)).exitCode, 0);
    await Promise.all([removePod(daemon, pod.id), removePod(daemon, stopped.id)]);
  });

  it("goes on with running containers: exec, log, stop", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "goes-on");
    const script = 'trap "exit 9" TERM; echo up; while true; do sleep 1 & wait $!; done';
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script]));
    const { stdout: before } = await exec(daemon, id, ["sh", "-c", "readlink /proc/1/ns/net; stat -c %Y /proc/1"]);
    await daemon.restart();
    const { stdout: after } = await exec(daemon, id, ["sh", "-c", "readlink /proc/1/ns/net; stat -c %Y /proc/1"]);
    assert.equal(after.split("\n")[0], before.split("\n")[0]);
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 10n });
    const status = await exited(daemon, id);
    assert.equal(status.exitCode, 9);
    assert.equal(parseLog(status.logPath)[0]?.text, "up");
    await removePod(daemon, pod.id);
  });

  it("knows the code and the time of exits that happened while it was away", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "away");
    const stopFile = path.join(daemon.places.folder, "volumes-away");
    writeFileSync(stopFile, "");
    const mounts = [{ hostPath: stopFile, containerPath: "/flag" }];
    const script = "while [ ! -s /flag ]; do sleep 0.1; done; exit 33";
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script], { mounts }));
    const { startedAt } = await containerStatus(daemon, id);
    await daemon.kill("SIGKILL");
    const leftMs = Date.now();
    writeFileSync(stopFile, "go");
    await eventually("the container and its monitor to end", () =>
      daemon.footprint().processes.some((line) => line.includes(id)) ? undefined : true,
    );
    const goneMs = Date.now();
    await daemon.start();
    const status = await containerStatus(daemon, id);
    assert.deepEqual([status.state, status.exitCode, status.reason], [ContainerState.CONTAINER_EXITED, 33, "Error"]);
    assert.equal(status.startedAt, startedAt);
    const finishedMs = Number(status.finishedAt / 1_000_000n);
    assert.ok(finishedMs >= leftMs - 1000 && finishedMs <= goneMs + 1000, `${leftMs} ${finishedMs} ${goneMs}`);
    await removePod(daemon, pod.id);
  });

  it("makes the group by which cAdvisor notices a pod, if it died before it had", async () => {
    const { daemon } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "unnoticed");
    const scope = process.env["BERTH_TEST_CGROUP_MANAGER"] === "systemd" ? ".scope" : "";
    const group = cgroupFile("memory", path.join(daemon.places.cgroupParent, `crio-${pod.id}${scope}`), "");
    await eventually("the group to be made", () => existsSync(group) || undefined);
    await daemon.kill("SIGKILL");
    rmdirSync(group);
    await daemon.start();
    await eventually("the group to be made again", () => existsSync(group) || undefined);
    await daemon.restart();
    assert.ok(existsSync(group));
    await removePod(daemon, pod.id);
    await daemon.holdsNoMoreThan(before);
  });

  it("can remove what was there before, address and all", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "to-remove");
    await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await daemon.restart();
    await removePod(daemon, pod.id);
    await daemon.holdsNoMoreThan(before);
  });

  it("gives the same pod for the same request", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "same");
    await daemon.restart();
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config: pod.config });
    assert.equal(podSandboxId, pod.id);
    await removePod(daemon, pod.id);
  });

  it("still has its images", async () => {
    const { daemon, busybox } = suite;
    await daemon.restart();
    const pod = await runPod(daemon, "images");
    assert.equal((await runToEnd(daemon, pod, containerConfig(busybox, "main", ["echo", "yes"]))).stdout, "yes\n");
    await removePod(daemon, pod.id);
  });

  it("answers after SIGTERM and a new start as after a kill", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "graceful");
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await daemon.restart("SIGTERM");
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    await removePod(daemon, pod.id);
  });

  it("sets one corrupt record aside, says so, and serves the others", async () => {
    const { daemon } = suite;
    const [good, bad] = [await runPod(daemon, "good"), await runPod(daemon, "bad")];
    await stopPod(daemon, bad.id);
    await daemon.kill("SIGKILL");
    const records = path.join(daemon.places.root, "sandboxes");
    const file = readdirSync(records).find((name) => name.endsWith(".log"));
    assert.ok(file !== undefined, `no records in ${records}`);
    appendFileSync(path.join(records, file), `${bad.id} { not json\n`);
    await daemon.start();
    assert.equal((await podStatus(daemon, good.id)).state, PodSandboxState.SANDBOX_READY);
    await rejects(podStatus(daemon, bad.id), "NOT_FOUND");
    assert.match(daemon.log(), new RegExp(bad.id));
    const again = await daemon.client.call(runPodSandbox, { config: bad.config });
    await Promise.all([removePod(daemon, good.id), removePod(daemon, again.podSandboxId)]);
  });

  it("takes over from a stale socket, and refuses to start beside a living daemon", async () => {
    const { daemon } = suite;
    await daemon.restart("SIGKILL");
    const second = prepareDaemon({ config: { "crio.api": `listen = ${JSON.stringify(daemon.places.socket)}` } });
    await assert.rejects(second.start(), /berth ended with/);
    assert.match(second.log(), /crio\.sock/);
    await second.cleanUp();
    assert.equal((await daemon.client.call(RuntimeService.method.version, {})).runtimeApiVersion, "v1");
  });

  it("finds pods not ready and containers exited when the machine was booted since, images kept", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "rebooted");
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await daemon.kill("SIGKILL");
    daemon.pretendReboot();
    await daemon.start();
    assert.equal((await podStatus(daemon, pod.id)).state, PodSandboxState.SANDBOX_NOTREADY);
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_EXITED);
    await removePod(daemon, pod.id);
    assert.deepEqual(daemon.footprint().leases, []);
    assert.deepEqual((await daemon.client.call(listPodSandbox, {})).items, []);
    assert.deepEqual((await daemon.client.call(listContainers, {})).containers, []);
    await pull(daemon, busybox);
  });
});

describe("daemons that start at the same instant on one stale socket", { skip: cannotRunPods() }, () => {
  it("agree on one that serves it; the others end before they touch anything, and say why", async () => {
    const first = prepareDaemon();
    await first.start();
    await first.kill("SIGKILL");
    const sameSocket = { config: { "crio.api": `listen = ${JSON.stringify(first.places.socket)}` } };
    const all = [first, prepareDaemon(sameSocket), prepareDaemon(sameSocket)];
    try {
      for (const daemon of all) daemon.launch();
      const oneIsLeft = (): true | undefined => (all.filter((one) => one.running).length === 1 ? true : undefined);
      await eventually("all but one to end", oneIsLeft, startsTimeoutMs);
      await first.client.ready(startsTimeoutMs);
      const losers = all.filter((one) => !one.running);
      assert.equal(losers.length, 2);
      for (const { log } of losers.map((one) => ({ log: one.logTail() })))
        assert.match(log, /another daemon, process \d+, uses the socket .*crio\.sock/);
    } finally {
      for (const daemon of all) await daemon.cleanUp();
    }
  });
});
