import type { Config } from "#config/index.ts";
import type { OperationMetrics } from "#cri/edge.ts";
import type { Container } from "#domain/container/container.ts";
import { fullName } from "#domain/container/full-name.ts";
import type { PullObserver } from "#domain/image/pull-observer.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { createRuntimeMetrics, type RuntimeMetrics, sizeLabel } from "#observability/metric-names.ts";

/** Where the parts of the daemon report what is counted. */
export interface DaemonMetrics {
  readonly all: RuntimeMetrics;
  readonly operations: OperationMetrics;
  readonly pulls: PullObserver;
  /** Part of an operation that is worth a latency of its own. */
  readonly step: (name: "network_setup_pod" | "network_setup_overall", durationMs: number) => void;
  readonly containerEnded: (container: Container, sandbox: Sandbox | undefined) => void;
  readonly monitorLost: (container: Container, sandbox: Sandbox | undefined) => void;
  readonly eventDropped: () => void;
  /** A client asks again for what is still being made. */
  readonly stalled: (stage: "sandbox creating" | "container creating") => void;
}

/** Counts, whether somebody scrapes or not: it costs less than asking. */
export function daemonMetrics(config: Config): DaemonMetrics {
  const all = createRuntimeMetrics(config.metrics.metricsCollectors);
  const latency = (operation: string, durationMs: number): void => {
    all.operationsLatencySeconds.set({ operation }, durationMs / 1000);
    all.operationsLatencySummary.observe({ operation }, durationMs / 1000);
  };
  return {
    all,
    operations: {
      onOperation(operation, durationMs, errorCode) {
        all.operations.add({ operation });
        latency(operation, durationMs);
        if (errorCode !== undefined) all.operationsErrors.add({ operation });
      },
    },
    pulls: pullCounter(all),
    step: latency,
    containerEnded(container, sandbox) {
      if (container.state.kind !== "exited" || container.state.exit.reason !== "OOMKilled") return;
      all.containersOom.add({});
      all.containersOomCount.add({ name: nameOf(container, sandbox) });
    },
    monitorLost: (container, sandbox) => all.containersStoppedMonitorCount.add({ name: nameOf(container, sandbox) }),
    eventDropped: () => all.containersEventsDropped.add({}),
    stalled: (stage) => all.resourcesStalledAtStage.add({ stage }),
  };
}

function nameOf({ request, id }: Container, sandbox: Sandbox | undefined): string {
  return sandbox === undefined ? id : fullName(request.metadata, sandbox.request.metadata);
}

function pullCounter(all: RuntimeMetrics): PullObserver {
  return {
    layerFetched({ size, mediaType }) {
      all.imagePullsLayerSizeBytes.observe({}, size);
      all.imagePullsBytes.add({ mediatype: mediaType, size: sizeLabel(size) }, size);
    },
    layerPresent({ digest, size }) {
      all.imageLayerReuse.add({ name: digest });
      all.imagePullsSkippedBytes.add({ size: sizeLabel(size) }, size);
    },
    pulled: () => all.imagePullsSuccess.add({}),
    failed: (_image, reason) => all.imagePullsFailure.add({ error: reason }),
  };
}
