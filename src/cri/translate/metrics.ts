import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Metric, MetricDescriptor, SandboxMetrics } from "#domain/runtime.ts";
import {
  MetricType,
  type MetricDescriptorSchema,
  type MetricSchema,
  type PodSandboxMetricsSchema,
} from "../gen/runtime/v1/api_pb.ts";

export function metricDescriptorToWire(descriptor: MetricDescriptor): MessageInitShape<typeof MetricDescriptorSchema> {
  const { name, help, labelKeys } = descriptor;
  return { name, help, labelKeys: [...labelKeys] };
}

export function sandboxMetricsToWire(pod: SandboxMetrics): MessageInitShape<typeof PodSandboxMetricsSchema> {
  return {
    podSandboxId: pod.sandboxId,
    metrics: pod.metrics.map(metricToWire),
    containerMetrics: pod.containers.map(({ containerId, metrics }) => ({
      containerId,
      metrics: metrics.map(metricToWire),
    })),
  };
}

function metricToWire(metric: Metric): MessageInitShape<typeof MetricSchema> {
  const value = typeof metric.value === "bigint" ? metric.value : BigInt(Math.trunc(metric.value));
  return {
    name: metric.name,
    timestamp: metric.timestampNs,
    metricType: metric.type === "counter" ? MetricType.COUNTER : MetricType.GAUGE,
    labelValues: [...metric.labelValues],
    value: { value: value < 0n ? 0n : value },
  };
}
