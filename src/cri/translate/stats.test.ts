import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { ContainerStats } from "#domain/runtime.ts";
import type { Pressure } from "#spec/pressure.ts";
import { exampleContainer, exampleSandbox } from "#domain/pod/entity-examples.ts";
import {
  ContainerEventResponseSchema,
  ContainerEventType,
  ContainerStatsSchema,
  MetricType,
  PodSandboxMetricsSchema,
  PodSandboxStatsSchema,
} from "../gen/runtime/v1/api_pb.ts";
import { containerStatsToWire } from "./container-stats.ts";
import { eventToWire } from "./event.ts";
import { sandboxMetricsToWire } from "./metrics.ts";
import { sandboxStatsToWire } from "./sandbox-stats.ts";

const pressure: Pressure = {
  some: { totalUs: 50, avg10: 1.5, avg60: 2, avg300: 3 },
  full: { totalUs: 40, avg10: 1, avg60: 0, avg300: 0 },
};

const stats: ContainerStats = {
  container: exampleContainer(),
  cpu: { timestampNs: 9n, usageCoreNanoSeconds: 2n ** 60n, usageNanoCores: undefined, pressure },
  memory: {
    timestampNs: 9n,
    workingSetBytes: 100,
    availableBytes: undefined,
    usageBytes: 120,
    rssBytes: 80,
    pageFaults: 7,
    majorPageFaults: 1,
    pressure: undefined,
  },
  swap: { timestampNs: 9n, availableBytes: 5, usageBytes: 0 },
  io: { timestampNs: 9n, pressure },
  writableLayer: { timestampNs: 9n, mountpoint: "/var/lib/berth", usedBytes: 4096, inodesUsed: 3 },
};

describe("stats on the wire", () => {
  it("have zeros where something is zero and nothing where it is not known", () => {
    const message = create(ContainerStatsSchema, containerStatsToWire(stats));
    assert.equal(message.attributes?.metadata?.name, "app");
    assert.equal(message.cpu?.usageCoreNanoSeconds?.value, 2n ** 60n);
    assert.equal(message.cpu?.usageNanoCores, undefined);
    assert.equal(message.memory?.availableBytes, undefined);
    assert.equal(message.swap?.swapUsageBytes?.value, 0n);
    assert.equal(message.writableLayer?.inodesUsed?.value, 3n);
    assert.equal(message.writableLayer?.fsId?.mountpoint, "/var/lib/berth");
  });

  it("have pressure as the kernel tells it", () => {
    const message = create(ContainerStatsSchema, containerStatsToWire(stats));
    assert.deepEqual([message.cpu?.psi?.Some?.Total, message.cpu?.psi?.Some?.Avg10], [50n, 1.5]);
    assert.equal(message.io?.psi?.Full?.Total, 40n);
    assert.equal(message.memory?.psi, undefined);
  });

  it("of a pod have its network, processes and containers", () => {
    const eth0 = { name: "eth0", rxBytes: 1, rxErrors: 0, txBytes: 2, txErrors: 0 };
    const message = create(
      PodSandboxStatsSchema,
      sandboxStatsToWire({
        sandbox: exampleSandbox(),
        cpu: stats.cpu,
        memory: stats.memory,
        io: undefined,
        network: { timestampNs: 9n, defaultInterface: eth0, interfaces: [{ ...eth0, name: "net1" }] },
        processes: { timestampNs: 9n, count: 4 },
        containers: [stats],
      }),
    );
    assert.equal(message.linux?.network?.defaultInterface?.txBytes?.value, 2n);
    assert.equal(message.linux?.network?.interfaces[0]?.name, "net1");
    assert.equal(message.linux?.process?.processCount?.value, 4n);
    assert.equal(message.linux?.containers.length, 1);
    assert.equal(message.linux?.io, undefined);
  });
});

describe("metrics on the wire", () => {
  it("are whole numbers from 0 on", () => {
    const metric = { name: "container_cpu", timestampNs: 9n, type: "counter", labelValues: ["app"] } as const;
    const message = create(
      PodSandboxMetricsSchema,
      sandboxMetricsToWire({
        sandboxId: "s",
        metrics: [{ ...metric, value: 1.9 }],
        containers: [{ containerId: "c", metrics: [{ ...metric, type: "gauge", value: -1n }] }],
      }),
    );
    assert.deepEqual([message.metrics[0]?.value?.value, message.metrics[0]?.metricType], [1n, MetricType.COUNTER]);
    const [inContainer] = message.containerMetrics[0]?.metrics ?? [];
    assert.deepEqual([inContainer?.value?.value, inContainer?.metricType], [0n, MetricType.GAUGE]);
  });
});

describe("a container event on the wire", () => {
  it("has the pod as it was, or none when it is gone", () => {
    const event = { containerId: "c", type: "stopped", createdAtNs: "12", containers: [exampleContainer()] } as const;
    const message = create(ContainerEventResponseSchema, eventToWire({ ...event, sandbox: exampleSandbox() }));
    assert.equal(message.containerEventType, ContainerEventType.CONTAINER_STOPPED_EVENT);
    assert.equal(message.createdAt, 12n);
    assert.equal(message.podSandboxStatus?.id, "5a".repeat(32));
    assert.equal(message.containersStatuses[0]?.id, "c0".repeat(32));
    const last = create(ContainerEventResponseSchema, eventToWire({ ...event, type: "deleted", sandbox: undefined }));
    assert.equal(last.podSandboxStatus, undefined);
  });
});
