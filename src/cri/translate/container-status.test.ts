import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Container } from "#domain/container/container.ts";
import { noResources } from "#domain/container/request-example.ts";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import {
  ContainerSchema,
  ContainerState,
  ContainerStatusSchema,
  MountPropagation,
  Signal,
  type ContainerStatus,
} from "../gen/runtime/v1/api_pb.ts";
import { containerStatusToWire, containerToWire } from "./container-status.ts";

function statusOf(changes: Partial<Container> = {}): ContainerStatus {
  return create(ContainerStatusSchema, containerStatusToWire(exampleContainer(changes)));
}

describe("a container's status", () => {
  it("has image, log, user, stop signal and times while it runs", () => {
    const status = statusOf();
    assert.equal(status.state, ContainerState.CONTAINER_RUNNING);
    assert.equal(status.createdAt, 1700000001000000001n);
    assert.equal(status.startedAt, 1700000002000000002n);
    assert.equal(status.finishedAt, 0n);
    assert.equal(status.image?.image, "busybox");
    assert.equal(status.imageId, "1a".repeat(32));
    assert.equal(status.logPath, "/var/log/pods/web/app/0.log");
    assert.deepEqual(status.user?.linux?.supplementalGroups, [10n, 20n]);
    assert.equal(status.user?.linux?.uid, 1000n);
    assert.equal(status.stopSignal, Signal.SIGTERM);
    assert.equal(status.resources, undefined);
  });

  it("has exit code, reason and message after its end", () => {
    const exit = { exitCode: 137, finishedAtNs: "1700000009000000000", reason: "OOMKilled", message: "out of memory" };
    for (const kind of ["exited", "removing"] as const) {
      const status = statusOf({ state: { kind, startedAtNs: "1700000002000000002", exit } });
      assert.equal(status.state, ContainerState.CONTAINER_EXITED);
      assert.deepEqual(
        [status.exitCode, status.finishedAt, status.reason, status.message],
        [137, 1700000009000000000n, "OOMKilled", "out of memory"],
      );
    }
  });

  it("has mounts with their mappings and images, and the resources as applied", () => {
    const status = statusOf({
      mounts: [
        {
          containerPath: "/data",
          hostPath: "/srv",
          readonly: true,
          recursiveReadOnly: true,
          selinuxRelabel: true,
          propagation: "bidirectional",
          uidMappings: [{ hostId: 1, containerId: 2, length: 3 }],
          gidMappings: [],
          image: "models",
          imageSubPath: "v1",
        },
      ],
      resources: { ...noResources, memoryLimitBytes: 1024, memorySwapLimitBytes: -1, cpuQuotaUs: -1 },
    });
    const [mount] = status.mounts;
    assert.equal(mount?.propagation, MountPropagation.PROPAGATION_BIDIRECTIONAL);
    assert.equal(mount?.uidMappings[0]?.containerId, 2);
    assert.deepEqual([mount?.image?.image, mount?.imageSubPath], ["models", "v1"]);
    const linux = status.resources?.linux;
    assert.deepEqual([linux?.memoryLimitInBytes, linux?.memorySwapLimitInBytes, linux?.cpuQuota], [1024n, -1n, -1n]);
  });

  it("shows a container on its way to creation as created", () => {
    const listed = create(ContainerSchema, containerToWire(exampleContainer({ state: { kind: "creating" } })));
    assert.equal(listed.state, ContainerState.CONTAINER_CREATED);
    assert.equal(listed.podSandboxId, "5a".repeat(32));
    assert.deepEqual(listed.labels, { tier: "front" });
  });
});
