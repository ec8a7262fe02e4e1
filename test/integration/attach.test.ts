import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { ContainerState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { attachSession, noMoreFiles, outcomeOf, reader } from "../support/cri-streams.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { openFilesOf } from "../support/footprint.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exited,
  runContainer,
  runPod,
  startContainer,
  type ContainerConfig,
  type Pod,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";
import { pattern } from "../support/streaming-backend.ts";
import { sha256OfPattern } from "../support/streaming-fixture.ts";

const interactive = { stdin: true, stdinOnce: true };

describe("Attach", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let pods: Promise<Pod> | undefined;
  let serial = 0;

  const configOf = (command: string[], more: ContainerConfig = {}): ContainerConfig =>
    containerConfig(suite.busybox, `c${(serial += 1)}`, command, more);
  const pod = (): Promise<Pod> => (pods ??= runPod(suite.daemon, "attach"));
  const run = async (command: string[], more: ContainerConfig = {}): Promise<string> =>
    runContainer(suite.daemon, await pod(), configOf(command, more));

  /** For containers that would otherwise be waited for until their grace is over. */
  const end = (containerId: string): Promise<unknown> =>
    suite.daemon.client.call(RuntimeService.method.stopContainer, { containerId, timeout: 0n });

  it("shows standard output and standard error apart, until the container ends", async () => {
    const id = await run(["sh", "-c", "read go; echo out; echo err >&2; exit 3"], interactive);
    const session = await attachSession(suite.daemon, id, { stdin: true, stderr: true });
    session.stream("stdin").write("go\n");
    const output = await Promise.all([text(session.stream("stdout")), text(session.stream("stderr"))]);
    assert.deepEqual(output, ["out\n", "err\n"]);
    assert.equal(await outcomeOf(session), 0);
    session.client.transport.destroy();
    assert.equal((await exited(suite.daemon, id)).exitCode, 3);
  });

  it("closes the container's input with the client's where it is for one client, and shows what follows", async () => {
    const id = await run(["sh", "-c", "sha256sum; echo over"], interactive);
    const session = await attachSession(suite.daemon, id, { stdin: true });
    const [, output] = await Promise.all([
      pipeline(Readable.from(pattern(10)), session.stream("stdin")),
      text(session.stream("stdout")),
    ]);
    assert.equal(output, `${sha256OfPattern(10)}  -\nover\n`);
    session.client.transport.destroy();
    assert.equal((await exited(suite.daemon, id)).exitCode, 0);
  });

  it("keeps the container's input open for the next client otherwise, and ends with the client's", async () => {
    const id = await run(["cat"], { stdin: true });
    for (const words of ["first\n", "second\n"]) {
      const session = await attachSession(suite.daemon, id, { stdin: true });
      session.stream("stdin").end(words);
      assert.equal(await text(session.stream("stdout")), words);
      assert.equal(await outcomeOf(session), 0);
      session.client.transport.destroy();
    }
    assert.equal((await containerStatus(suite.daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    await end(id);
  });

  it("carries a terminal and its size", async () => {
    const id = await run(["sh"], { ...interactive, tty: true });
    const session = await attachSession(suite.daemon, id, { stdin: true, tty: true });
    const output = reader(session.stream("stdout"));
    session.stream("resize").write('{"Width":99,"Height":33}\n');
    session.stream("stdin").write("until [ \"$(stty size)\" = '33 99' ]; do :; done; echo re''sized; exit 4\n");
    await output.until(/resized\r\n/);
    assert.equal(await outcomeOf(session), 0);
    session.client.transport.destroy();
    assert.equal((await exited(suite.daemon, id)).exitCode, 4);
  });

  it("gives every client the output, whole", async () => {
    const id = await run(["sh", "-c", "read go; seq 200000"], interactive);
    const sessions = await Promise.all([
      attachSession(suite.daemon, id, { stdin: true }),
      attachSession(suite.daemon, id),
    ]);
    const [first, second] = sessions;
    first.stream("stdin").write("go\n");
    const expected = createHash("sha256");
    for (let line = 1; line <= 200_000; line += 1) expected.update(`${line}\n`);
    const digest = expected.digest("hex");
    const digests = await Promise.all(
      [first, second].map(async ({ stream }) =>
        createHash("sha256")
          .update(await text(stream("stdout")))
          .digest("hex"),
      ),
    );
    assert.deepEqual(digests, [digest, digest]);
    for (const { client } of sessions) client.transport.destroy();
  });

  it("throws away what a container without input is sent", async () => {
    const id = await run(["sh", "-c", "sleep 1; echo fine"]);
    const session = await attachSession(suite.daemon, id, { stdin: true });
    const sending = pipeline(Readable.from(pattern(1)), session.stream("stdin")).catch(() => {});
    assert.equal(await text(session.stream("stdout")), "fine\n");
    session.client.transport.destroy();
    await sending;
  });

  it("ends when the container is stopped", async () => {
    const id = await run(["sh", "-c", 'trap "exit 0" TERM; while true; do echo tick; sleep 0.1 & wait $!; done']);
    const session = await attachSession(suite.daemon, id);
    // A session begins before the container is reached: one that ended before that cannot be attached to.
    await reader(session.stream("stdout")).until(/tick/);
    await suite.daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 10n });
    assert.equal(await outcomeOf(session), 0);
    session.client.transport.destroy();
  });

  it("does not let a client that reads nothing hide the end of the container", async () => {
    const id = await run(["sh", "-c", "read go; yes 0123456789abcdef"], interactive);
    const session = await attachSession(suite.daemon, id, { stdin: true });
    session.stream("stdin").write("go\n");
    session.client.transport.pause();
    const { logPath } = await containerStatus(suite.daemon, id);
    let before = -1;
    await eventually("the container to be held back", () => {
      const now = statSync(logPath).size;
      const same = now > 0 && now === before;
      before = now;
      return same ? true : undefined;
    });
    await end(id);
    assert.equal((await exited(suite.daemon, id)).exitCode, 137);
    session.client.transport.destroy();
  });

  it("refuses containers that do not run", async () => {
    const id = await createContainer(suite.daemon, await pod(), configOf(["true"]));
    await rejects(attachSession(suite.daemon, id), ["FAILED_PRECONDITION", "UNKNOWN"]);
    await startContainer(suite.daemon, id);
    await exited(suite.daemon, id);
    await rejects(attachSession(suite.daemon, id), ["FAILED_PRECONDITION", "UNKNOWN"]);
    await rejects(attachSession(suite.daemon, "0".repeat(64)), "NOT_FOUND");
  });

  it("leaves nothing of a hundred sessions that are dropped, and the container unharmed", async () => {
    const { daemon } = suite;
    const id = await run(["sh", "-c", "while read line; do echo got $line; done"], { stdin: true });
    const files = openFilesOf(daemon.pid);
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { client } = await attachSession(daemon, id, { stdin: true, stderr: true });
          client.transport.destroy();
          await client.closed;
        }),
      );
    }
    await noMoreFiles(daemon, files);
    const session = await attachSession(daemon, id, { stdin: true });
    session.stream("stdin").end("on\n");
    assert.equal(await text(session.stream("stdout")), "got on\n");
    session.client.transport.destroy();
    await end(id);
  });
});
