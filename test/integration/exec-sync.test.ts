import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  createContainer,
  exec,
  exited,
  removePod,
  runContainer,
  runPod,
  type Pod,
  untilTerminated,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("ExecSync", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let running: Promise<{ pod: Pod; id: string }> | undefined;

  async function start(): Promise<{ pod: Pod; id: string }> {
    const pod = await runPod(suite.daemon, "exec");
    const securityContext = { runAsUser: { value: 1000n }, runAsGroup: { value: 1000n } };
    const config = containerConfig(suite.busybox, "main", untilTerminated, {
      envs: [{ key: "FROM", value: Buffer.from("container") }],
      workingDir: "/var/tmp",
      linux: { securityContext },
    });
    return { pod, id: await runContainer(suite.daemon, pod, config) };
  }
  const container = async (): Promise<string> => (await (running ??= start())).id;

  it("returns exit code, standard output and standard error apart", async () => {
    const script = "echo out; echo err >&2; exit 7";
    const outcome = await exec(suite.daemon, await container(), ["sh", "-c", script]);
    assert.deepEqual(outcome, { exitCode: 7, stdout: "out\n", stderr: "err\n" });
  });

  it("keeps bytes as they are, also without a newline at the end", async () => {
    const command = ["sh", "-c", "printf 'a\\000b\\n\\n\\377c'"];
    const answer = await suite.daemon.client.call(RuntimeService.method.execSync, {
      containerId: await container(),
      cmd: command,
      timeout: 10n,
    });
    assert.equal(Buffer.from(answer.stdout).toString("hex"), "6100620a0aff63");
  });

  it("runs with the container's user, directory and variables", async () => {
    const { stdout } = await exec(suite.daemon, await container(), ["sh", "-c", "id -u; pwd; echo $FROM"]);
    assert.equal(stdout, "1000\n/var/tmp\ncontainer\n");
  });

  it("returns much output whole", async () => {
    const { stdout } = await exec(suite.daemon, await container(), [
      "sh",
      "-c",
      "yes 0123456789abcde | head -n 100000",
    ]);
    assert.equal(stdout.length, 1_600_000);
  });

  it("ends the command at its timeout with DEADLINE_EXCEEDED, and leaves no process", async () => {
    const { daemon } = suite;
    await rejects(exec(daemon, await container(), ["sleep", "5555"], 1), "DEADLINE_EXCEEDED");
    await eventually("the command to be gone", async () => {
      const { stdout } = await exec(daemon, await container(), ["ps", "-o", "args"]);
      return stdout.includes("sleep 5555") ? undefined : true;
    });
  });

  it("ends with its command, whatever that leaves in the background with its output open", async () => {
    const { daemon } = suite;
    const command = ["sh", "-c", "sleep 7777 & echo $!"];
    const { exitCode, stdout: pid } = await exec(daemon, await container(), command, 10);
    assert.equal(exitCode, 0);
    // It goes on.
    assert.equal((await exec(daemon, await container(), ["kill", pid.trim()])).exitCode, 0);
  });

  it("names a command that does not exist in the image", async () => {
    await rejects(
      exec(suite.daemon, await container(), ["/no/such/command"]),
      ["UNKNOWN", "NOT_FOUND", "INVALID_ARGUMENT", "INTERNAL", "FAILED_PRECONDITION"],
      /\/no\/such\/command/,
    );
  });

  it("refuses an empty command", async () => {
    await rejects(exec(suite.daemon, await container(), []), "INVALID_ARGUMENT");
  });

  it("refuses containers that do not run or do not exist", async () => {
    const { daemon, busybox } = suite;
    await rejects(exec(daemon, "0".repeat(64), ["true"]), "NOT_FOUND");
    const { pod } = await (running ??= start());
    const created = await createContainer(daemon, pod, containerConfig(busybox, "created", ["true"]));
    await rejects(exec(daemon, created, ["true"]), ["NOT_FOUND", "FAILED_PRECONDITION", "UNKNOWN"]);
    const ended = await runContainer(daemon, pod, containerConfig(busybox, "ended", ["true"]));
    await exited(daemon, ended);
    await rejects(exec(daemon, ended, ["true"]), ["NOT_FOUND", "FAILED_PRECONDITION", "UNKNOWN"]);
  });

  it("runs many commands at once", async () => {
    const id = await container();
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, index) => exec(suite.daemon, id, ["sh", "-c", `echo ${index}; exit ${index}`])),
    );
    assert.deepEqual(
      outcomes.map(({ exitCode, stdout }) => `${exitCode} ${stdout}`),
      Array.from({ length: 12 }, (_, index) => `${index} ${index}\n`),
    );
  });

  it("leaves no process and no file behind, also when its client hangs up", async () => {
    const { daemon } = suite;
    const id = await container();
    await exec(daemon, id, ["true"]);
    const before = daemon.footprint();
    for (let round = 0; round < 5; round += 1) await exec(daemon, id, ["true"]);
    const request = { containerId: id, cmd: ["sleep", "2"], timeout: 0n };
    const hungUp = daemon.client.call(RuntimeService.method.execSync, request, { signal: AbortSignal.timeout(300) });
    await rejects(hungUp, "CANCELLED");
    await daemon.holdsNoMoreThan(before);
  });

  it("ends with the container", async () => {
    const { pod, id } = await (running ??= start());
    const pending = exec(suite.daemon, id, ["sleep", "6666"], 60);
    const ended = pending.then(
      () => "ended",
      () => "ended",
    );
    await eventually("the command to run", async () =>
      (await exec(suite.daemon, id, ["ps", "-o", "args"])).stdout.includes("sleep 6666") ? true : undefined,
    );
    await suite.daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
    assert.equal(await ended, "ended");
    await removePod(suite.daemon, pod.id);
  });
});
