import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { parseLog } from "../support/cri-log.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  containerStatus,
  exec,
  exited,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  textOf,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { reopenContainerLog } = RuntimeService.method;

describe("a container's log", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  it("has a record for each line, with time, stream and tag", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "records");
    const script = "echo one; echo two >&2; printf 'no newline'";
    const { lines, stdout, stderr } = await runToEnd(
      daemon,
      pod,
      containerConfig(busybox, "main", ["sh", "-c", script]),
    );
    assert.equal(stdout.trimEnd(), "one\nno newline");
    assert.equal(stderr, "two\n");
    const times = lines.map(({ time }) => Date.parse(time));
    assert.ok(times.every((time) => Math.abs(time - Date.now()) < 120_000));
    await removePod(daemon, pod.id);
  });

  it("is where the request says, readable by root and its group only", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "placed");
    const config = containerConfig(busybox, "main", ["echo", "here"], { logPath: "main/3.log" });
    const { id } = await runToEnd(daemon, pod, config);
    const { logPath } = await containerStatus(daemon, id);
    assert.equal(logPath, path.join(pod.config.logDirectory ?? "", "main/3.log"));
    assert.equal(statSync(logPath).mode & 0o007, 0);
    await removePod(daemon, pod.id);
    assert.ok(existsSync(logPath), "logs belong to the kubelet and stay");
  });

  it("cuts a long line into partial records that give the line again", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "long");
    const script = "head -c 50000 /dev/zero | tr '\\0' x; echo; echo short";
    const { lines } = await runToEnd(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script]));
    assert.ok(lines.some(({ partial }) => partial));
    assert.equal(textOf(lines, "stdout"), `${"x".repeat(50_000)}\nshort\n`);
    await removePod(daemon, pod.id);
  });

  it("goes on in a new file after it was renamed and reopened, and no line is lost", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "rotated");
    const script = "echo before; while [ ! -e /go ]; do sleep 0.1; done; echo after";
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script]));
    const { logPath } = await containerStatus(daemon, id);
    await eventually("the first line", () => (readFileSync(logPath, "utf8").includes("before") ? true : undefined));
    renameSync(logPath, `${logPath}.1`);
    await daemon.client.call(reopenContainerLog, { containerId: id });
    assert.ok(existsSync(logPath));
    await exec(daemon, id, ["touch", "/go"]);
    await exited(daemon, id);
    assert.equal(textOf(parseLog(`${logPath}.1`), "stdout"), "before\n");
    assert.equal(textOf(parseLog(logPath), "stdout"), "after\n");
    await removePod(daemon, pod.id);
  });

  it("cannot be reopened while its directory is gone, and can be again once that is back", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "folder");
    const script = "trap 'exit 0' TERM; while true; do echo line; sleep 0.1; done";
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script]));
    const { logPath } = await containerStatus(daemon, id);
    rmSync(path.dirname(logPath), { recursive: true });
    const reopen = (): Promise<unknown> => daemon.client.call(reopenContainerLog, { containerId: id });
    await rejects(reopen(), "FAILED_PRECONDITION", new RegExp(id), /is gone/);
    mkdirSync(path.dirname(logPath), { recursive: true });
    await reopen();
    await eventually("a line in the new log", () => (parseLog(logPath).length > 0 ? true : undefined));
    await removePod(daemon, pod.id);
  });

  it("cannot be reopened for a container that does not run, and no file appears", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "ended");
    const { id } = await runToEnd(daemon, pod, containerConfig(busybox, "main", ["true"]));
    const { logPath } = await containerStatus(daemon, id);
    renameSync(logPath, `${logPath}.1`);
    await rejects(daemon.client.call(reopenContainerLog, { containerId: id }), [
      "FAILED_PRECONDITION",
      "UNKNOWN",
      "INTERNAL",
      "NOT_FOUND",
    ]);
    assert.ok(!existsSync(logPath));
    await rejects(daemon.client.call(reopenContainerLog, { containerId: "0".repeat(64) }), "NOT_FOUND");
    await removePod(daemon, pod.id);
  });

  it("is written on while the daemon is not there", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "alone");
    const script = "i=0; while true; do echo $i; i=$((i+1)); sleep 0.1; done";
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", ["sh", "-c", script]));
    const { logPath } = await containerStatus(daemon, id);
    const count = (): number => parseLog(logPath).length;
    await daemon.kill("SIGKILL");
    const atKill = count();
    await eventually("more lines", () => (count() > atKill + 5 ? true : undefined));
    await daemon.start();
    await removePod(daemon, pod.id);
    const numbers = parseLog(logPath).map(({ text }) => Number(text));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index),
    );
  });

  it("never leaves the pod's log directory, whatever the log path says", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "escape");
    const target = path.join(daemon.places.folder, "escaped.log");
    const depth = "../".repeat(30);
    const config = containerConfig(busybox, "main", ["echo", "out"], { logPath: `${depth}${target.slice(1)}` });
    await runToEnd(daemon, pod, config).catch(() => {});
    assert.ok(!existsSync(target));
    await removePod(daemon, pod.id);
  });
});
