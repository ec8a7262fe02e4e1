import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleContainer, exampleImage, exampleSandbox } from "#domain/pod/entity-examples.ts";
import type { StreamingUrls } from "./call.ts";
import { ContainerState, ImageService, RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { serve } from "./server-for-tests.ts";

const { method: runtimeRpc } = RuntimeService;
const { method: imageRpc } = ImageService;

const podConfig = { metadata: { name: "web", uid: "u", namespace: "default", attempt: 0 } };

describe("pods, containers and images", () => {
  it("have a pod's containers in its status", async () => {
    const container = exampleContainer();
    const filters: unknown[] = [];
    await using cri = await serve({
      sandboxes: { get: () => exampleSandbox(), verbose: () => ({ info: "{}" }) },
      containers: {
        list: (filter) => {
          filters.push(filter);
          return [container];
        },
      },
    });
    const answer = await cri.client.call(runtimeRpc.podSandboxStatus, { podSandboxId: "5a", verbose: true });
    assert.equal(answer.status?.network?.ip, "10.0.0.2");
    assert.deepEqual(answer.info, { info: "{}" });
    assert.equal(answer.containersStatuses[0]?.id, container.id);
    assert.ok(answer.timestamp > 1_700_000_000_000_000_000n);
    assert.deepEqual(filters, [{ labels: {}, sandboxId: "5a".repeat(32) }]);
  });

  it("are listed whole or in batches with the same content", async () => {
    const containers = Array.from({ length: 2500 }, (_, index) => exampleContainer({ id: `c${index}` }));
    await using cri = await serve({ containers: { list: () => containers } });
    const listed = await cri.client.call(runtimeRpc.listContainers, {});
    const batches = await Array.fromAsync(cri.client.stream(runtimeRpc.streamContainers, {}));
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
    await using cri = await serve({ images: { list: () => [] } });
    assert.deepEqual(await Array.fromAsync(cri.client.stream(imageRpc.streamImages, {})), []);
  });

  it("answer without an image when it is absent", async () => {
    await using cri = await serve({ images: { find: (name) => (name === "there" ? exampleImage() : undefined) } });
    const absent = await cri.client.call(imageRpc.imageStatus, { image: { image: "gone" }, verbose: true });
    assert.equal(absent.image, undefined);
    const present = await cri.client.call(imageRpc.imageStatus, { image: { image: "there" } });
    assert.deepEqual(present.image?.repoTags, ["docker.io/library/busybox:latest"]);
  });

  it("pass a created container's request and its pod's on", async () => {
    const calls: unknown[] = [];
    await using cri = await serve({
      containers: {
        create: async (sandboxId, request, sandboxRequest) => {
          calls.push([sandboxId, request.metadata.name, sandboxRequest?.metadata.name]);
          return "c1";
        },
      },
    });
    const config = { metadata: { name: "app" }, image: { image: "busybox" } };
    const answer = await cri.client.call(runtimeRpc.createContainer, {
      podSandboxId: "5a",
      config,
      sandboxConfig: podConfig,
    });
    assert.equal(answer.containerId, "c1");
    await cri.client.call(runtimeRpc.createContainer, { podSandboxId: "5a", config });
    assert.deepEqual(calls, [
      ["5a", "app", "web"],
      ["5a", "app", undefined],
    ]);
  });

  it("give conditions, handlers and features in the status", async () => {
    const good = { ready: true, reason: "", message: "" };
    const bad = { ready: false, reason: "NoNetwork", message: "no CNI configuration" };
    const handlers = [{ name: "runc", recursiveReadOnlyMounts: true, userNamespaces: false }];
    await using cri = await serve({
      node: {
        status: () => ({ runtime: good, network: bad, handlers, supplementalGroupsPolicy: true }),
        verboseStatus: () => ({ config: "{}" }),
      },
    });
    const answer = await cri.client.call(runtimeRpc.status, { verbose: true });
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
    await using cri = await serve(
      { containers: { get: () => exampleContainer() }, sandboxes: { get: () => exampleSandbox() } },
      { streaming },
    );
    const exec = await cri.client.call(runtimeRpc.exec, { containerId: "c0", cmd: ["sh", "-l"], stdout: true });
    assert.equal(exec.url, `http://exec/${"c0".repeat(32)}/sh+-l`);
    const attach = await cri.client.call(runtimeRpc.attach, { containerId: "c0", stdout: true });
    assert.equal(attach.url, `http://attach/${"c0".repeat(32)}`);
    const forward = await cri.client.call(runtimeRpc.portForward, { podSandboxId: "5a", port: [80] });
    assert.equal(forward.url, `http://forward/${"5a".repeat(32)}/80`);
  });

  it("are not given for what does not run", async () => {
    await using cri = await serve(
      {
        containers: { get: () => exampleContainer({ state: { kind: "created" } }) },
        sandboxes: { get: () => exampleSandbox({ state: { kind: "stopping" } }) },
      },
      { streaming },
    );
    await assert.rejects(cri.client.call(runtimeRpc.exec, { containerId: "c0", cmd: ["sh"], stdout: true }), {
      codeName: "FAILED_PRECONDITION",
    });
    await assert.rejects(cri.client.call(runtimeRpc.portForward, { podSandboxId: "5a", port: [80] }), {
      codeName: "FAILED_PRECONDITION",
    });
  });
});
