import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { forwarding, noMoreFiles, openConnection } from "../support/cri-streams.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { openFilesOf } from "../support/footprint.ts";
import { podServers, ports } from "../support/pod-server.ts";
import { removePod, runPod, type Pod } from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";
import type { SpdyClient } from "../support/spdy-client.ts";
import { pattern } from "../support/streaming-backend.ts";
import { sha256, sha256OfPattern } from "../support/streaming-fixture.ts";

const mebibytes = 50;

describe("PortForward", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let pod: Pod;
  let servers: AsyncDisposable;
  before(async () => {
    pod = await runPod(suite.daemon, "forward");
    servers = await podServers(suite.daemon, pod.id);
  });
  after(() => servers[Symbol.asyncDispose]());

  async function exchange(client: SpdyClient, port: number, words: string): Promise<{ data: string; error: string }> {
    const { data, error } = await openConnection(client, port);
    data.end(words);
    const [answer, failure] = await Promise.all([text(data).catch(() => "broken"), text(error)]);
    return { data: answer, error: failure };
  }

  it("reaches servers on the pod's loopback address, IPv4 or IPv6", async () => {
    const client = await forwarding(suite.daemon, pod.id);
    assert.deepEqual(await exchange(client, ports.echo, "four"), { data: "four", error: "" });
    assert.deepEqual(await exchange(client, ports.echo6, "six"), { data: "six", error: "" });
    client.transport.destroy();
  });

  it(`carries ${mebibytes} MiB intact each way, and the end of each half`, async () => {
    const client = await forwarding(suite.daemon, pod.id);
    const both = await openConnection(client, ports.echo);
    const [, digest] = await Promise.all([
      pipeline(Readable.from(pattern(mebibytes)), both.data),
      sha256(both.data),
      text(both.error),
    ]);
    assert.equal(digest, sha256OfPattern(mebibytes));
    const up = await openConnection(client, ports.hash);
    const [, answer] = await Promise.all([pipeline(Readable.from(pattern(mebibytes)), up.data), text(up.data)]);
    assert.equal(answer, sha256OfPattern(mebibytes));
    client.transport.destroy();
  });

  it("tells that nobody listens, and goes on with other connections", async () => {
    const client = await forwarding(suite.daemon, pod.id);
    const refused = await exchange(client, 9, "");
    assert.match(refused.error, /port 9.*ECONNREFUSED.*127\.0\.0\.1:9.*ECONNREFUSED.*\[::1\]:9/);
    assert.equal((await exchange(client, ports.echo, "still here")).data, "still here");
    client.transport.destroy();
  });

  it("resets only the stream whose server has broken the connection", async () => {
    const client = await forwarding(suite.daemon, pod.id);
    const other = await openConnection(client, ports.echo);
    const broken = await openConnection(client, ports.breaking);
    broken.data.write("x");
    assert.equal(await text(broken.error), "");
    await eventually("the stream to be reset", () => broken.data.wasReset || undefined);
    other.data.end("other");
    assert.equal(await text(other.data), "other");
    client.transport.destroy();
  });

  it("lets the server know whether a client has ended or given up", async () => {
    const client = await forwarding(suite.daemon, pod.id);
    const lastEnd = async (): Promise<string> => (await exchange(client, ports.lastEnd, "")).data;
    await exchange(client, ports.watched, "to the end");
    assert.equal(await lastEnd(), "ended");
    const given = await openConnection(client, ports.watched);
    await once(given.data, "data");
    given.data.destroy();
    await eventually("the server to see a reset", async () => ((await lastEnd()) === "reset" ? true : undefined));
    client.transport.destroy();
  });

  it("serves WebSocket clients", async () => {
    const request = { podSandboxId: pod.id, port: [ports.echo] };
    const { url } = await suite.daemon.client.call(RuntimeService.method.portForward, request);
    const socket = new WebSocket(url.replace("http", "ws"), "v4.channel.k8s.io");
    let received = "";
    socket.on("message", (message: Buffer) => {
      if (message[0] === 0) received += message.subarray(1).toString("latin1");
    });
    await once(socket, "open");
    socket.send(Buffer.from("\0hello"));
    await eventually("the echo", () => (received.endsWith("hello") ? true : undefined));
    socket.terminate();
  });

  it("reaches servers of the host for a pod with its network", async () => {
    const options = { pid: NamespaceMode.CONTAINER, network: NamespaceMode.NODE };
    const cgroupParent = suite.daemon.places.cgroupParent;
    const linux = { cgroupParent, securityContext: { namespaceOptions: options } };
    const host = await runPod(suite.daemon, "host", { linux });
    const hostServers = await podServers(suite.daemon, undefined);
    const client = await forwarding(suite.daemon, host.id);
    assert.deepEqual(await exchange(client, ports.echo, "host"), { data: "host", error: "" });
    client.transport.destroy();
    await hostServers[Symbol.asyncDispose]();
    await removePod(suite.daemon, host.id);
  });

  it("leaves nothing of a hundred connections that are dropped", async () => {
    const { daemon } = suite;
    const warm = await forwarding(daemon, pod.id);
    await exchange(warm, ports.echo, "warm");
    warm.transport.destroy();
    await warm.closed;
    const files = openFilesOf(daemon.pid);
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 10 }, async (_, index) => {
          const client = await forwarding(daemon, pod.id);
          const { data } = await openConnection(client, index % 2 === 0 ? ports.deaf : ports.echo);
          data.write(Buffer.alloc(100_000));
          client.transport.destroy();
          await client.closed;
        }),
      );
    }
    await noMoreFiles(daemon, files);
  });

  it("refuses pods that are not ready", async () => {
    const gone = await runPod(suite.daemon, "gone");
    await suite.daemon.client.call(RuntimeService.method.stopPodSandbox, { podSandboxId: gone.id });
    await rejects(forwarding(suite.daemon, gone.id), ["FAILED_PRECONDITION", "UNKNOWN"]);
    await removePod(suite.daemon, gone.id);
    await rejects(forwarding(suite.daemon, gone.id), "NOT_FOUND");
  });
});
