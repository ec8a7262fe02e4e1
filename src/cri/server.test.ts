import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { ImageService, RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { GrpcChannel } from "./grpc/grpc-channel.ts";
import { methodPath } from "./method-path.ts";
import { serve } from "./server-for-tests.ts";

const { method: runtimeRpc } = RuntimeService;
const { method: imageRpc } = ImageService;

const podConfig = { metadata: { name: "web", uid: "u", namespace: "default", attempt: 0 } };

describe("a call", () => {
  it("goes over a socket of mode 0660 to the domain and back", async () => {
    await using cri = await serve({ node: { version: () => ({ name: "berth", version: "1.2.3" }) } });
    const answer = await cri.client.call(runtimeRpc.version, {});
    assert.deepEqual(
      [answer.version, answer.runtimeName, answer.runtimeVersion, answer.runtimeApiVersion],
      ["0.1.0", "berth", "1.2.3", "v1"],
    );
    assert.equal(statSync(cri.socketPath).mode & 0o777, 0o660);
  });

  it("is logged with its ids and counted, and no secret is logged", async () => {
    await using cri = await serve({ images: { pull: async () => "sha" }, containers: { start: async () => {} } });
    await cri.client.call(imageRpc.pullImage, { image: { image: "busybox" }, auth: { password: "hunter2" } });
    await cri.client.call(runtimeRpc.startContainer, { containerId: "c0ffee" });
    assert.deepEqual(cri.operations, [
      ["PullImage", undefined],
      ["StartContainer", undefined],
    ]);
    const log = cri.logLines.join("");
    assert.match(log, /rpc=PullImage image=busybox/);
    assert.match(log, /requestId=2 rpc=StartContainer container=c0ffee durationMs=/);
    assert.doesNotMatch(log, /hunter2/);
  });

  it("that fails as the domain says has that code, and is counted with it", async () => {
    await using cri = await serve({
      sandboxes: {
        get: () => {
          throw new DomainError("not-found", "no pod sandbox abc");
        },
      },
    });
    await assert.rejects(cri.client.call(runtimeRpc.podSandboxStatus, { podSandboxId: "abc" }), {
      codeName: "NOT_FOUND",
      details: "no pod sandbox abc",
    });
    assert.deepEqual(cri.operations, [["PodSandboxStatus", "NOT_FOUND"]]);
  });

  it("that fails unexpectedly is INTERNAL, and its stack is logged", async () => {
    await using cri = await serve({ sandboxes: { run: () => Promise.reject(new TypeError("x is undefined")) } });
    await assert.rejects(cri.client.call(runtimeRpc.runPodSandbox, { config: podConfig }), {
      codeName: "INTERNAL",
      details: "x is undefined",
    });
    assert.match(cri.logLines.join(""), /level=error msg="CRI request failed" .* error="x is undefined" error.stack=/);
  });

  it("of an incomplete request is refused before the domain sees it", async () => {
    await using cri = await serve({});
    await assert.rejects(cri.client.call(runtimeRpc.runPodSandbox, { config: {} }), {
      codeName: "INVALID_ARGUMENT",
      details: "config.metadata is missing",
    });
    await assert.rejects(cri.client.call(runtimeRpc.stopContainer, { containerId: "" }), {
      details: "container_id is missing",
    });
    await assert.rejects(cri.client.call(runtimeRpc.stopContainer, { containerId: "c", timeout: -1n }), {
      details: "timeout is negative: -1",
    });
    await assert.rejects(cri.client.call(runtimeRpc.execSync, { containerId: "c" }), { details: "cmd is missing" });
  });

  it("of a request beyond the limit is refused", async () => {
    await using cri = await serve({});
    const hostname = "x".repeat(200_000);
    await assert.rejects(cri.client.call(runtimeRpc.runPodSandbox, { config: { ...podConfig, hostname } }), {
      codeName: "RESOURCE_EXHAUSTED",
    });
  });

  it("that is refused before the domain sees it is logged and counted, by a name that no client chooses", async () => {
    await using cri = await serve({});
    const channel = new GrpcChannel(cri.socketPath, 1000);
    const ask = (path: string, request: Uint8Array) =>
      assert.rejects(Array.fromAsync(channel.call({ path, request, timeoutMs: undefined, signal: undefined })));
    const truncated = Uint8Array.of(10, 100);
    await ask(methodPath(runtimeRpc.runPodSandbox), truncated);
    await ask(methodPath(runtimeRpc.getContainerEvents), truncated);
    await ask(methodPath(runtimeRpc.stopContainer), new Uint8Array(200_000));
    await ask("/runtime.v1.RuntimeService/Surprise", truncated);
    channel.close();
    assert.deepEqual(cri.operations, [
      ["RunPodSandbox", "INTERNAL"],
      ["GetContainerEvents", "INTERNAL"],
      ["StopContainer", "RESOURCE_EXHAUSTED"],
      ["unknown", "UNIMPLEMENTED"],
    ]);
    const log = cri.logLines.join("");
    assert.match(log, /level=warn msg="CRI request refused" rpc=RunPodSandbox code=INTERNAL error="the request is no /);
    assert.match(log, /level=warn msg="CRI request refused" rpc=StopContainer code=RESOURCE_EXHAUSTED/);
    assert.match(log, /level=debug msg="CRI request refused" rpc=unknown .*RuntimeService\/Surprise/);
  });

  it("tells the domain when the client will give up", async () => {
    const beforeMs = Date.now();
    const deadlines: (number | undefined)[] = [];
    await using cri = await serve({ sandboxes: { stop: async (_id, deadlineMs) => void deadlines.push(deadlineMs) } });
    await cri.client.call(runtimeRpc.stopPodSandbox, { podSandboxId: "abc" }, { timeoutMs: 60_000 });
    await cri.client.call(runtimeRpc.stopPodSandbox, { podSandboxId: "abc" }, { timeoutMs: 0 });
    const [first = 0, second] = deadlines;
    assert.ok(first > beforeMs + 30_000 && first <= Date.now() + 60_000);
    assert.equal(second, undefined);
  });

  it("for a part that the daemon does not have is UNIMPLEMENTED", async () => {
    await using cri = await serve({});
    await assert.rejects(cri.client.call(runtimeRpc.containerStats, { containerId: "c" }), {
      codeName: "UNIMPLEMENTED",
    });
    await assert.rejects(cri.client.call(runtimeRpc.exec, { containerId: "c", cmd: ["sh"] }), {
      codeName: "UNIMPLEMENTED",
    });
    await assert.rejects(cri.client.call(runtimeRpc.checkpointContainer, { containerId: "c" }), {
      codeName: "UNIMPLEMENTED",
    });
    await assert.rejects(Array.fromAsync(cri.client.stream(runtimeRpc.getContainerEvents, {})), {
      codeName: "UNIMPLEMENTED",
      details: "this daemon does not serve container events",
    });
  });
});
