import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { execSession, execUrl, noMoreFiles, outcomeOf, reader, runExec } from "../support/cri-streams.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { openFilesOf, processesOf } from "../support/footprint.ts";
import { containerConfig, removePod, runContainer, runPod, untilTerminated, type Pod } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";
import { pattern } from "../support/streaming-backend.ts";
import { sha256, sha256OfPattern } from "../support/streaming-fixture.ts";

const mebibytes = 50;

describe("Exec", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let running: Promise<{ pod: Pod; id: string }> | undefined;

  async function start(name: string, pid: NamespaceMode = NamespaceMode.CONTAINER): Promise<{ pod: Pod; id: string }> {
    const pod = await runPod(suite.daemon, name);
    const config = containerConfig(suite.busybox, "main", untilTerminated, {
      linux: { securityContext: { namespaceOptions: { pid } } },
    });
    return { pod, id: await runContainer(suite.daemon, pod, config) };
  }
  const container = async (): Promise<string> => (await (running ??= start("exec"))).id;
  const isRunning = (words: string): boolean =>
    processesOf(suite.daemon.places).some(({ commandLine }) => commandLine.endsWith(words));
  const gone = (words: string): Promise<true> =>
    eventually(`${words} to be gone`, () => (isRunning(words) ? undefined : true));
  const there = (words: string): Promise<true> =>
    eventually(`${words} to run`, () => (isRunning(words) ? true : undefined));

  it("returns exit code, standard output and standard error apart", async () => {
    const script = "echo out; echo err >&2; exit 7";
    const outcome = await runExec(suite.daemon, await container(), ["sh", "-c", script]);
    assert.deepEqual(outcome, { stdout: "out\n", stderr: "err\n", outcome: 7 });
  });

  it("tells of a command killed by a signal as shells do", async () => {
    const { outcome } = await runExec(suite.daemon, await container(), ["sh", "-c", "kill -TERM $$"]);
    assert.equal(outcome, 143);
  });

  it("says why a command cannot be run", async () => {
    const { outcome } = await runExec(suite.daemon, await container(), ["/no/such/command"]);
    assert.match(String(outcome), /error executing command in container.*\/no\/such\/command.*no such file/i);
  });

  it("lets a command open its standard streams by name", async () => {
    const { stdout, outcome } = await runExec(suite.daemon, await container(), ["sh", "-c", "echo again >/dev/stdout"]);
    assert.deepEqual([stdout, outcome], ["again\n", 0]);
  });

  it(`carries ${mebibytes} MiB intact both ways at once, and the end of the input`, async () => {
    const session = await execSession(suite.daemon, await container(), ["cat"], { stdin: true });
    const [, digest, outcome] = await Promise.all([
      pipeline(Readable.from(pattern(mebibytes)), session.stream("stdin")),
      sha256(session.stream("stdout")),
      outcomeOf(session),
    ]);
    session.client.transport.destroy();
    assert.deepEqual([digest, outcome], [sha256OfPattern(mebibytes), 0]);
  });

  it("holds a command back whose client does not read, without losing anything", async () => {
    const session = await execSession(suite.daemon, await container(), [
      "sh",
      "-c",
      "yes 0123456789abcde | head -n 500000",
    ]);
    session.client.transport.pause();
    await there("head -n 500000");
    session.client.transport.resume();
    const expected = createHash("sha256").update("0123456789abcde\n".repeat(500_000)).digest("hex");
    assert.equal(await sha256(session.stream("stdout")), expected);
    session.client.transport.destroy();
  });

  it("ends with the command while the client still sends", async () => {
    const session = await execSession(suite.daemon, await container(), ["head", "-c", "3"], { stdin: true });
    const sending = pipeline(Readable.from(pattern(20)), session.stream("stdin")).catch(() => {});
    assert.equal(await text(session.stream("stdout")), "The");
    assert.equal(await outcomeOf(session), 0);
    session.client.transport.destroy();
    await sending;
  });

  it("does not wait for what a command leaves in the background", async () => {
    const { stdout, outcome } = await runExec(suite.daemon, await container(), [
      "sh",
      "-c",
      "sleep 3333 & echo started",
    ]);
    assert.deepEqual([stdout, outcome], ["started\n", 0]);
    assert.ok(isRunning("sleep 3333"));
  });

  it("gives a command a terminal of the client's size, and follows it", async () => {
    const session = await execSession(suite.daemon, await container(), ["sh"], { tty: true, stdin: true });
    const output = reader(session.stream("stdout"));
    session.stream("resize").write('{"Width":101,"Height":31}\n');
    const stdin = session.stream("stdin");
    await output.until(/# /);
    stdin.write("tty; stty size\n");
    await output.until(/\/dev\/pts\/\d+\r\n31 101\r\n/);
    session.stream("resize").write('{"Width":55,"Height":22}\n');
    stdin.write("until [ \"$(stty size)\" = '22 55' ]; do :; done; echo re''sized; exit 5\n");
    await output.until(/resized\r\n/);
    assert.equal(await outcomeOf(session), 5);
    session.client.transport.destroy();
  });

  it("loses nothing of what a command wrote to its terminal before it ended", async () => {
    const session = await execSession(suite.daemon, await container(), ["seq", "30000"], { tty: true });
    const expected = Array.from({ length: 30_000 }, (_, index) => `${index + 1}\r\n`).join("");
    assert.equal(await text(session.stream("stdout")), expected);
    assert.equal(await outcomeOf(session), 0);
    session.client.transport.destroy();
  });

  it("serves WebSocket clients, with their half-close", async () => {
    const flags = { stdin: true, stdout: true };
    const url = await execUrl(suite.daemon, await container(), ["sh", "-c", "cat; exit 3"], flags);
    const socket = new WebSocket(url.replace("http", "ws"), "v5.channel.k8s.io");
    const received = new Map<number, string>();
    socket.on("message", (data: Buffer) => {
      const channel = data[0] ?? 0;
      received.set(channel, (received.get(channel) ?? "") + data.subarray(1).toString());
    });
    await once(socket, "open");
    socket.send(Buffer.from("\0hello"));
    socket.send(Buffer.from([255, 0]));
    await once(socket, "close");
    assert.equal(received.get(1), "hello");
    assert.match(received.get(3) ?? "", /"message":"3"/);
  });

  it("kills a command and its children when the client goes away", async () => {
    const id = await container();
    for (const tty of [false, true]) {
      const session = await execSession(suite.daemon, id, ["sh", "-c", "trap '' HUP; sleep 4441 & sleep 4442"], {
        tty,
      });
      await there("sleep 4441");
      await there("sleep 4442");
      session.client.transport.destroy();
      await gone("sleep 4441");
      await gone("sleep 4442");
    }
  });

  for (const [whose, pid] of [
    ["its own", NamespaceMode.CONTAINER],
    ["the host's", NamespaceMode.NODE],
  ] as const) {
    it(`ends with its container, where that has ${whose} processes`, async () => {
      const { pod, id } = await start("dies", pid);
      const session = await execSession(suite.daemon, id, ["sleep", "4443"]);
      await there("sleep 4443");
      await suite.daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
      assert.equal(await outcomeOf(session), 137);
      assert.ok(!isRunning("sleep 4443"));
      session.client.transport.destroy();
      await removePod(suite.daemon, pod.id);
    });
  }

  it("leaves nothing of a hundred sessions that are dropped", async () => {
    const { daemon } = suite;
    const id = await container();
    await runExec(daemon, id, ["true"]);
    const files = openFilesOf(daemon.pid);
    const dropOne = async (index: number): Promise<void> => {
      const session = await execSession(daemon, id, ["sleep", "4444"], { stdin: true, tty: index % 2 === 0 });
      session.client.transport.destroy();
      await session.client.closed;
    };
    for (let round = 0; round < 20; round += 1)
      await Promise.all(Array.from({ length: 5 }, (_, index) => dropOne(round + index)));
    // A command that was just being started when its client left ends a moment later.
    await eventually("all commands to be over", () =>
      readdirSync(path.join(daemon.places.runroot, "exec")).length === 0 ? true : undefined,
    );
    assert.ok(!isRunning("sleep 4444"));
    await noMoreFiles(daemon, files);
  });

  it("kills what was run for clients of a daemon that was killed", async () => {
    const { daemon } = suite;
    const session = await execSession(daemon, await container(), ["sleep", "4445"]);
    await there("sleep 4445");
    await daemon.restart();
    await gone("sleep 4445");
    session.client.transport.destroy();
    assert.deepEqual(readdirSync(path.join(daemon.places.runroot, "exec")), []);
    assert.equal((await runExec(daemon, await container(), ["echo", "on"])).stdout, "on\n");
  });
});
