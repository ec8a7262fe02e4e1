import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, endingWhenTold, removePod, runContainer, runPod, untilTerminated } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const berth = path.resolve(import.meta.dirname, "../../bin/berth");

describe("berth ctl with a real daemon", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  interface Outcome {
    status: unknown;
    stdout: string;
    stderr: string;
  }

  function start(...argv: string[]) {
    const child = spawn(berth, ["ctl", ...argv], {
      env: { ...process.env, CONTAINER_RUNTIME_ENDPOINT: suite.daemon.places.socket },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const outcome = Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]).then(
      ([stdout, stderr, [status]]): Outcome => ({ stdout, stderr, status }),
    );
    return { child, outcome };
  }

  async function ctl(...argv: string[]): Promise<Outcome> {
    const { child, outcome } = start(...argv);
    child.stdin.end();
    return outcome;
  }

  async function output(...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await ctl(...argv);
    assert.equal(status, 0, `berth ctl ${argv.join(" ")}: ${stderr}`);
    return stdout;
  }

  it("says who answers and that it is ready", async () => {
    assert.match(await output("version"), /, CRI v1\n$/);
    const info = await output("info");
    assert.match(info, /^RuntimeReady +yes/m);
    assert.match(info, /^NetworkReady +yes/m);
  });

  it("runs a command in a pod of its own, gives its output and exit code, and leaves nothing", async () => {
    const before = suite.daemon.footprint();
    const script = "echo out; echo err >&2; echo $V; exit 3";
    const { status, stdout, stderr } = await ctl("run", "--rm", "-e", "V=value", suite.busybox, "sh", "-c", script);
    assert.deepEqual([status, stdout, stderr], [3, "out\nvalue\n", "err\n"]);
    assert.equal(await output("pods", "-q"), "");
    await suite.daemon.holdsNoMoreThan(before);
  });

  it("stops and removes the pod of run --rm when it is interrupted", async () => {
    const { child, outcome } = start(
      "run",
      "--rm",
      "--name",
      "interrupted",
      suite.busybox,
      ...endingWhenTold("echo up; sleep 1000"),
    );
    await once(child.stdout, "readable");
    child.kill("SIGINT");
    assert.equal((await outcome).status, 130);
    assert.equal(await output("pods", "-q"), "");
  });

  it("leaves a detached pod running, and shows, enters, stops and removes it by its names", async () => {
    const command = ["sh", "-c", 'trap "exit 0" TERM; echo hello; while true; do sleep 1000 & wait $!; done'];
    const id = (await output("run", "-d", "--name", "detached", suite.busybox, ...command)).trim();
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.match(await output("pods"), /detached +berth-ctl/);
    assert.match(await output("ps"), new RegExp(`^${id.slice(0, 13)} +${suite.busybox} `, "m"));
    assert.equal(await output("logs", "--tail", "1", id.slice(0, 6)), "hello\n");
    assert.equal(await output("exec", "main", "echo", "-n", "inside"), "inside");
    assert.match(await output("stats", "main"), new RegExp(`^${id.slice(0, 13)} +main `, "m"));
    const { logPath } = (JSON.parse(await output("inspect", id)) as { status: { logPath: string } }).status;
    assert.equal(await output("stop", "main"), `${id}\n`);
    assert.match(await output("ps", "-a"), /Exited/);
    assert.equal(await output("rm", id), `${id}\n`);
    await output("rmp", "-f", "detached");
    assert.equal(await output("pods", "-q"), "");
    assert.ok(existsSync(logPath), "logs are not berth's to remove");
    rmSync(path.resolve(logPath, "../.."), { recursive: true });
  });

  it("connects standard input and output of a command, with and without a terminal", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "connected");
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    const plain = start("exec", "-i", id, "sh", "-c", "cat; echo done >&2; exit 5");
    plain.child.stdin.end("typed\n");
    assert.deepEqual(await plain.outcome, { status: 5, stdout: "typed\n", stderr: "done\n" });
    const terminal = await ctl("exec", "-t", id, "sh", "-c", "test -t 1 && echo terminal");
    assert.deepEqual([terminal.status, terminal.stdout.trim()], [0, "terminal"]);
    await removePod(daemon, pod.id);
  });

  it("follows a log to the end of its container", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "followed");
    const id = await runContainer(
      daemon,
      pod,
      containerConfig(busybox, "main", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]),
    );
    assert.equal(await output("logs", "-f", id), "1\n2\n3\n");
    await removePod(daemon, pod.id);
  });

  it("pulls, lists and removes images, and says what fails", async () => {
    const { registry, busybox } = suite;
    assert.match(await output("images"), new RegExp(`^${registry.host}/test/busybox +latest `, "m"));
    const missing = await ctl("pull", `${registry.host}/no/such:image`);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /^berth ctl: PullImage: NOT_FOUND: .*no\/such:image/m);
    assert.equal(await output("rmi", busybox), `${busybox}\n`);
    assert.match(await output("pull", busybox), /^[0-9a-f]{64}\n$/);
  });
});
