import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { SandboxState } from "#domain/sandbox/sandbox.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { NamespaceMode, PodSandboxState, PodSandboxStatusSchema } from "../gen/runtime/v1/api_pb.ts";
import { sandboxStatusToWire } from "./sandbox-status.ts";

describe("a pod sandbox's status", () => {
  it("has the primary address apart from the others, the namespaces and the handler", () => {
    const status = create(PodSandboxStatusSchema, sandboxStatusToWire(exampleSandbox({ runtimeHandler: "kata" })));
    assert.equal(status.network?.ip, "10.0.0.2");
    assert.deepEqual(
      status.network?.additionalIps.map(({ ip }) => ip),
      ["fd00::2"],
    );
    assert.equal(status.linux?.namespaces?.options?.pid, NamespaceMode.CONTAINER);
    assert.equal(status.runtimeHandler, "kata");
    assert.equal(status.createdAt, 1700000000123456789n);
    assert.equal(status.metadata?.uid, "a1b2");
  });

  it("is ready in no state but ready", () => {
    const states: SandboxState[] = [
      { kind: "creating" },
      { kind: "ready" },
      { kind: "stopping" },
      { kind: "stopped", stoppedAtNs: "1" },
      { kind: "removing" },
    ];
    const ready = states.filter(
      (state) => sandboxStatusToWire(exampleSandbox({ state })).state === PodSandboxState.SANDBOX_READY,
    );
    assert.deepEqual(ready, [{ kind: "ready" }]);
  });

  it("has no address with host network", () => {
    const status = create(PodSandboxStatusSchema, sandboxStatusToWire(exampleSandbox({ ips: [] })));
    assert.deepEqual([status.network?.ip, status.network?.additionalIps], ["", []]);
  });
});
