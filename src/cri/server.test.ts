import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ContainerEvent } from "#domain/runtime.ts";
import { DomainError } from "#errors/domain-error.ts";
import { createLogger } from "#observability/create-logger.ts";
import type { StreamingUrls } from "./call.ts";
import { connect, type CriClient } from "./client.ts";
import { exampleContainer, exampleImage, exampleSandbox } from "./examples.ts";
import { fakeRuntime, type ExpectedCalls } from "./fake-runtime.ts";
import { LayerState, Progress } from "./gen/berth/v1/progress_pb.ts";
import { ContainerEventType, ContainerState, ImageService, RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { createCriServer, type CriServer } from "./server.ts";

const { method: runtimeRpc } = RuntimeService;
const { method: imageRpc } = ImageService;

let folder: string;
let socketPath: string;
let server: CriServer;
let client: CriClient;
let logLines: string[];
let operations: [name: string, errorCode: string | undefined][];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "berth-server-"));
  socketPath = path.join(folder, "cri.sock");
  logLines = [];
  operations = [];
});

afterEach(async () => {
  client.close();
  await server.close(0);
  rmSync(folder, { recursive: true });
});

async function serve(expected: ExpectedCalls, streaming?: StreamingUrls): Promise<void> {
  server = createCriServer({
    runtime: fakeRuntime(expected),
    socketPath,
    logger: createLogger({ level: "debug", format: "text", write: (line) => logLines.push(line) }),
    metrics: { onOperation: (name, _durationMs, errorCode) => operations.push([name, errorCode]) },
    maxReceiveBytes: 100_000,
    maxSendBytes: 10_000_000,
    ...(streaming === undefined ? {} : { streaming }),
  });
  await server.listen();
  client = connect(socketPath, { defaultTimeoutMs: 10_000 });
}

const podConfig = { metadata: { name: "web", uid: "u", namespace: "default", attempt: 0 } };

describe("a call", () => {
  it("goes over a socket of mode 0660 to the domain and back", async () => {
    await serve({ node: { version: () => ({ name: "berth", version: "1.2.3" }) } });
    const answer = await client.call(runtimeRpc.version, {});
    assert.deepEqual(
      [answer.version, answer.runtimeName, answer.runtimeVersion, answer.runtimeApiVersion],
      ["0.1.0", "berth", "1.2.3", "v1"],
    );
    assert.equal(statSync(socketPath).mode & 0o777, 0o660);
  });

  it("is logged with its ids and counted, and no secret is logged", async () => {
    await serve({ images: { pull: async () => "sha" }, containers: { start: async () => {} } });
    await client.call(imageRpc.pullImage, { image: { image: "busybox" }, auth: { password: "hunter2" } });
    await client.call(runtimeRpc.startContainer, { containerId: "c0ffee" });
    assert.deepEqual(operations, [
      ["PullImage", undefined],
      ["StartContainer", undefined],
    ]);
    const log = logLines.join("");
    assert.match(log, /rpc=PullImage image=busybox/);
    assert.match(log, /requestId=2 rpc=StartContainer container=c0ffee durationMs=/);
    assert.doesNotMatch(log, /hunter2/);
  });

  it("that fails as the domain says has that code, and is counted with it", async () => {
    await serve({
      sandboxes: {
        get: () => {
          throw new DomainError("not-found", "no pod sandbox abc");
        },
      },
    });
    await assert.rejects(client.call(runtimeRpc.podSandboxStatus, { podSandboxId: "abc" }), {
      codeName: "NOT_FOUND",
      details: "no pod sandbox abc",
    });
    assert.deepEqual(operations, [["PodSandboxStatus", "NOT_FOUND"]]);
  });

  it("that fails unexpectedly is INTERNAL, and its stack is logged", async () => {
    await serve({ sandboxes: { run: () => Promise.reject(new TypeError("x is undefined")) } });
    await assert.rejects(client.call(runtimeRpc.runPodSandbox, { config: podConfig }), {
      codeName: "INTERNAL",
      details: "x is undefined",
    });
    assert.match(logLines.join(""), /level=error msg="CRI request failed" .* error="x is undefined" error.stack=/);
  });

  it("of an incomplete request is refused before the domain sees it", async () => {
    await serve({});
    await assert.rejects(client.call(runtimeRpc.runPodSandbox, { config: {} }), {
      codeName: "INVALID_ARGUMENT",
      details: "config.metadata is missing",
    });
    await assert.rejects(client.call(runtimeRpc.stopContainer, { containerId: "" }), {
      details: "container_id is missing",
    });
    await assert.rejects(client.call(runtimeRpc.stopContainer, { containerId: "c", timeout: -1n }), {
      details: "timeout is negative: -1",
    });
    await assert.rejects(client.call(runtimeRpc.execSync, { containerId: "c" }), { details: "cmd is missing" });
  });

  it("of a request beyond the limit is refused", async () => {
    await serve({});
    const hostname = "x".repeat(200_000);
    await assert.rejects(client.call(runtimeRpc.runPodSandbox, { config: { ...podConfig, hostname } }), {
      codeName: "RESOURCE_EXHAUSTED",
    });
  });

  it("tells the domain how long the client will wait", async () => {
    const deadlines: (number | undefined)[] = [];
    await serve({ sandboxes: { stop: async (_id, deadlineMs) => void deadlines.push(deadlineMs) } });
    await client.call(runtimeRpc.stopPodSandbox, { podSandboxId: "abc" }, { timeoutMs: 60_000 });
    await client.call(runtimeRpc.stopPodSandbox, { podSandboxId: "abc" }, { timeoutMs: 0 });
    const [first = 0, second] = deadlines;
    assert.ok(first > 30_000 && first <= 60_000);
    assert.equal(second, undefined);
  });

  it("for a part that the daemon does not have is UNIMPLEMENTED", async () => {
    await serve({});
    await assert.rejects(client.call(runtimeRpc.containerStats, { containerId: "c" }), { codeName: "UNIMPLEMENTED" });
    await assert.rejects(client.call(runtimeRpc.exec, { containerId: "c", cmd: ["sh"] }), {
      codeName: "UNIMPLEMENTED",
    });
    await assert.rejects(client.call(runtimeRpc.checkpointContainer, { containerId: "c" }), {
      codeName: "UNIMPLEMENTED",
    });
    await assert.rejects(Array.fromAsync(client.stream(runtimeRpc.getContainerEvents, {})), {
      codeName: "UNIMPLEMENTED",
      details: "this daemon does not serve container events",
    });
  });
});

describe("pods, containers and images", () => {
  it("have a pod's containers in its status", async () => {
    const container = exampleContainer();
    const filters: unknown[] = [];
    await serve({
      sandboxes: { get: () => exampleSandbox(), verbose: () => ({ info: "{}" }) },
      containers: {
        list: (filter) => {
          filters.push(filter);
          return [container];
        },
      },
    });
    const answer = await client.call(runtimeRpc.podSandboxStatus, { podSandboxId: "5a", verbose: true });
    assert.equal(answer.status?.network?.ip, "10.0.0.2");
    assert.deepEqual(answer.info, { info: "{}" });
    assert.equal(answer.containersStatuses[0]?.id, container.id);
    assert.ok(answer.timestamp > 1_700_000_000_000_000_000n);
    assert.deepEqual(filters, [{ labels: {}, sandboxId: "5a".repeat(32) }]);
  });

  it("are listed whole or in batches with the same content", async () => {
    const containers = Array.from({ length: 2500 }, (_, index) => exampleContainer({ id: `c${index}` }));
    await serve({ containers: { list: () => containers } });
    const listed = await client.call(runtimeRpc.listContainers, {});
    const batches = await Array.fromAsync(client.stream(runtimeRpc.streamContainers, {}));
    assert.deepEqual(
      batches.map((batch) => batch.containers.length),
      [1000, 1000, 500],
    );
    assert.deepEqual(
      batches.flatMap((batch) => batch.containers),
      listed.containers,
    );
    assert.equal(listed.containers[2499]?.state, ContainerState.CONTAINER_RUNNING);
  });

  it("stream nothing but the end when there are none", async () => {
    await serve({ images: { list: () => [] } });
    assert.deepEqual(await Array.fromAsync(client.stream(imageRpc.streamImages, {})), []);
  });

  it("answer without an image when it is absent", async () => {
    await serve({ images: { find: (name) => (name === "there" ? exampleImage() : undefined) } });
    const absent = await client.call(imageRpc.imageStatus, { image: { image: "gone" }, verbose: true });
    assert.equal(absent.image, undefined);
    const present = await client.call(imageRpc.imageStatus, { image: { image: "there" } });
    assert.deepEqual(present.image?.repoTags, ["docker.io/library/busybox:latest"]);
  });

  it("pass a created container's request and its pod's on", async () => {
    const calls: unknown[] = [];
    await serve({
      containers: {
        create: async (sandboxId, request, sandboxRequest) => {
          calls.push([sandboxId, request.metadata.name, sandboxRequest?.metadata.name]);
          return "c1";
        },
      },
    });
    const config = { metadata: { name: "app" }, image: { image: "busybox" } };
    const answer = await client.call(runtimeRpc.createContainer, {
      podSandboxId: "5a",
      config,
      sandboxConfig: podConfig,
    });
    assert.equal(answer.containerId, "c1");
    await client.call(runtimeRpc.createContainer, { podSandboxId: "5a", config });
    assert.deepEqual(calls, [
      ["5a", "app", "web"],
      ["5a", "app", undefined],
    ]);
  });

  it("give conditions, handlers and features in the status", async () => {
    const good = { ready: true, reason: "", message: "" };
    const bad = { ready: false, reason: "NoNetwork", message: "no CNI configuration" };
    const handlers = [{ name: "runc", recursiveReadOnlyMounts: true, userNamespaces: false }];
    await serve({
      node: {
        status: () => ({ runtime: good, network: bad, handlers, supplementalGroupsPolicy: true }),
        verboseStatus: () => ({ config: "{}" }),
      },
    });
    const answer = await client.call(runtimeRpc.status, { verbose: true });
    assert.deepEqual(
      answer.status?.conditions.map(({ type, status, reason }) => [type, status, reason]),
      [
        ["RuntimeReady", true, ""],
        ["NetworkReady", false, "NoNetwork"],
      ],
    );
    assert.equal(answer.runtimeHandlers[0]?.features?.recursiveReadOnlyMounts, true);
    assert.equal(answer.features?.supplementalGroupsPolicy, true);
    assert.deepEqual(answer.info, { config: "{}" });
  });
});

describe("URLs for streaming", () => {
  const streaming: StreamingUrls = {
    execUrl: async ({ containerId, command }) => `http://exec/${containerId}/${command.join("+")}`,
    attachUrl: async ({ containerId }) => `http://attach/${containerId}`,
    portForwardUrl: async ({ sandboxId, ports }) => `http://forward/${sandboxId}/${ports.join("+")}`,
  };

  it("are for full ids of what runs", async () => {
    await serve(
      { containers: { get: () => exampleContainer() }, sandboxes: { get: () => exampleSandbox() } },
      streaming,
    );
    const exec = await client.call(runtimeRpc.exec, { containerId: "c0", cmd: ["sh", "-l"], stdout: true });
    assert.equal(exec.url, `http://exec/${"c0".repeat(32)}/sh+-l`);
    const attach = await client.call(runtimeRpc.attach, { containerId: "c0", stdout: true });
    assert.equal(attach.url, `http://attach/${"c0".repeat(32)}`);
    const forward = await client.call(runtimeRpc.portForward, { podSandboxId: "5a", port: [80] });
    assert.equal(forward.url, `http://forward/${"5a".repeat(32)}/80`);
  });

  it("are not given for what does not run", async () => {
    await serve(
      {
        containers: { get: () => exampleContainer({ state: { kind: "created" } }) },
        sandboxes: { get: () => exampleSandbox({ state: { kind: "stopping" } }) },
      },
      streaming,
    );
    await assert.rejects(client.call(runtimeRpc.exec, { containerId: "c0", cmd: ["sh"], stdout: true }), {
      codeName: "FAILED_PRECONDITION",
    });
    await assert.rejects(client.call(runtimeRpc.portForward, { podSandboxId: "5a", port: [80] }), {
      codeName: "FAILED_PRECONDITION",
    });
  });
});

/** Yields `first`, then waits for the signal; `ended` resolves when it has. */
function endless<T>(first: T): { subscribe(signal: AbortSignal): AsyncGenerator<T>; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  return {
    ended: ended.promise,
    async *subscribe(signal) {
      yield first;
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
      ended.resolve();
    },
  };
}

const event: ContainerEvent = {
  containerId: "c",
  type: "started",
  createdAtNs: "1",
  sandbox: exampleSandbox(),
  containers: [],
};

describe("a stream", () => {
  it("of events tells the domain when the client hangs up", async () => {
    const events = endless(event);
    await serve({ events });
    for await (const one of client.stream(runtimeRpc.getContainerEvents, {}, { timeoutMs: 0 })) {
      assert.equal(one.containerEventType, ContainerEventType.CONTAINER_STARTED_EVENT);
      break;
    }
    await events.ended;
  });

  it("of a pull has one message for each layer", async () => {
    await serve({
      images: {
        async *watchPull(image) {
          assert.equal(image, "busybox");
          yield [
            { digest: "sha256:a", doneBytes: 0, totalBytes: 10, state: "waiting" },
            { digest: "sha256:b", doneBytes: 5, totalBytes: 5, state: "present" },
          ];
          yield [{ digest: "sha256:a", doneBytes: 10, totalBytes: 10, state: "done" }];
        },
      },
    });
    const messages = await Array.fromAsync(client.stream(Progress.method.watchPull, { image: "busybox" }));
    assert.deepEqual(
      messages.map(({ layer, doneBytes, state }) => [layer, doneBytes, state]),
      [
        ["sha256:a", 0n, LayerState.WAITING],
        ["sha256:b", 5n, LayerState.EXISTS],
        ["sha256:a", 10n, LayerState.DONE],
      ],
    );
  });

  it("that fails midway ends with the failure's code", async () => {
    await serve({
      events: {
        async *subscribe() {
          yield event;
          throw new DomainError("resource-exhausted", "too slow");
        },
      },
    });
    const received: string[] = [];
    const read = async (): Promise<void> => {
      for await (const one of client.stream(runtimeRpc.getContainerEvents, {})) received.push(one.containerId);
    };
    await assert.rejects(read(), { codeName: "RESOURCE_EXHAUSTED", details: "too slow" });
    assert.deepEqual(received, ["c"]);
  });
});

describe("closing the server", () => {
  it("lets a call under way finish, ends streams and removes the socket", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const events = endless(event);
    await serve({
      events,
      containers: {
        async start() {
          started.resolve();
          await finish.promise;
        },
      },
    });
    const call = client.call(runtimeRpc.startContainer, { containerId: "c" });
    const stream = client.stream(runtimeRpc.getContainerEvents, {}, { timeoutMs: 0 })[Symbol.asyncIterator]();
    await Promise.all([started.promise, stream.next()]);
    const closed = server.close(10_000);
    await assert.rejects(stream.next(), { codeName: "UNAVAILABLE", details: "the daemon is shutting down" });
    await events.ended;
    finish.resolve();
    await call;
    await closed;
    assert.equal(statSync(socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("cuts off what runs beyond the grace", async () => {
    const started = Promise.withResolvers<void>();
    await serve({
      containers: {
        start() {
          started.resolve();
          return new Promise(() => {});
        },
      },
    });
    const call = assert.rejects(client.call(runtimeRpc.startContainer, { containerId: "c" }, { timeoutMs: 0 }));
    await started.promise;
    await server.close(20);
    await call;
    assert.equal(statSync(socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("leaves the path free for a successor", async () => {
    await serve({ node: { version: () => ({ name: "first", version: "1" }) } });
    await client.call(runtimeRpc.version, {});
    client.close();
    await server.close(1000);
    await serve({ node: { version: () => ({ name: "second", version: "2" }) } });
    assert.equal((await client.call(runtimeRpc.version, {})).runtimeName, "second");
  });
});
