import { MetricsRegistry } from "./metrics.ts";
import { registerOwnMetrics } from "./own-metrics.ts";

const prefix = "container_runtime_crio_";

/** The metrics of the daemon with the names that CRI-O 1.36 gives them, so that its dashboards and alerts work. */
export interface RuntimeMetrics extends ReturnType<typeof registerMetrics> {
  /** Those of berth's own and of every process. */
  own: ReturnType<typeof registerOwnMetrics>;
  /** The text for a Prometheus scrape. */
  render(): string;
  /** What there is, for the documentation. */
  definitions(): ReturnType<MetricsRegistry["definitions"]>;
}

/**
 * Metrics ready to be counted. `collectors` are the names of `metrics_collectors`: with or without the prefix, `all` for
 * every one. What is left out is counted too, but not rendered. Metrics that are not CRI-O's are always rendered.
 */
export function createRuntimeMetrics(collectors: readonly string[]): RuntimeMetrics {
  const registry = new MetricsRegistry();
  const metrics = registerMetrics(registry);
  const own = registerOwnMetrics(registry);
  const wanted = new Set(collectors.map((name) => name.replace(/^(container_runtime_)?(crio_)?/, "")));
  const include = (name: string) =>
    !name.startsWith(prefix) || wanted.has("all") || wanted.has(name.slice(prefix.length));
  return {
    ...metrics,
    own,
    render: () => registry.render(include),
    definitions: () => registry.definitions(),
  };
}

/** Upper bounds of sizes in CRI-O's metrics, and the label of what is above each. */
const sizeBounds: readonly [bytes: number, label: string][] = [
  [1e3, ">1 KiB"],
  [1e6, ">1 MiB"],
  [10e6, ">10 MiB"],
  [50e6, ">50 MiB"],
  [100e6, ">100 MiB"],
  [200e6, ">200 MiB"],
  [300e6, ">300 MiB"],
  [400e6, ">400 MiB"],
  [500e6, ">500 MiB"],
  [1e9, ">1 GiB"],
  [10e9, ">10 GiB"],
];

/** The label `size` of a layer: `>1 KiB` ... `>10 GiB`, as CRI-O names its (decimal) sizes; `0 B` for less. */
export function sizeLabel(sizeBytes: number): string {
  return sizeBounds.findLast(([bound]) => sizeBytes > bound)?.[1] ?? "0 B";
}

function registerMetrics(registry: MetricsRegistry) {
  return {
    ...operationMetrics(registry),
    ...imageMetrics(registry),
    ...containerMetrics(registry),
    processesDefunct: registry.gauge({
      name: `${prefix}processes_defunct`,
      help: "Zombie processes on the machine.",
      labels: [],
    }),
    resourcesStalledAtStage: registry.counter({
      name: `${prefix}resources_stalled_at_stage`,
      help: "Requests for a pod or container that a client repeated because the first was still under way, by what is made.",
      labels: ["stage"],
    }),
    defaultRuntime: registry.gauge({
      name: `${prefix}default_runtime`,
      help: "1 for the handler that pods without a RuntimeClass get.",
      labels: ["runtime"],
    }),
  };
}

/** `operation` is the name of an RPC, or network_setup_pod, network_setup_overall. Latencies are in seconds. */
function operationMetrics(registry: MetricsRegistry) {
  return {
    operations: registry.counter({
      name: `${prefix}operations_total`,
      help: "CRI requests.",
      labels: ["operation"],
    }),
    operationsErrors: registry.counter({
      name: `${prefix}operations_errors_total`,
      help: "CRI requests that failed.",
      labels: ["operation"],
    }),
    operationsLatencySeconds: registry.gauge({
      name: `${prefix}operations_latency_seconds`,
      help: "How long the last CRI request took.",
      labels: ["operation"],
    }),
    operationsLatencySummary: registry.summary({
      name: `${prefix}operations_latency_seconds_total`,
      help: "How long CRI requests take.",
      labels: ["operation"],
      quantiles: [0.5, 0.9, 0.99],
    }),
  };
}

function imageMetrics(registry: MetricsRegistry) {
  return {
    imagePullsLayerSizeBytes: registry.histogram({
      name: `${prefix}image_pulls_layer_size`,
      help: "Bytes of the layers that were pulled.",
      labels: [],
      buckets: sizeBounds.map(([bound]) => bound),
    }),
    imagePullsBytes: registry.counter({
      name: `${prefix}image_pulls_bytes_total`,
      help: "Bytes that were pulled.",
      labels: ["mediatype", "size"],
    }),
    imagePullsSkippedBytes: registry.counter({
      name: `${prefix}image_pulls_skipped_bytes_total`,
      help: "Bytes that were not pulled because they were there.",
      labels: ["size"],
    }),
    imagePullsFailure: registry.counter({
      name: `${prefix}image_pulls_failure_total`,
      help: "Pulls that failed, by error.",
      labels: ["error"],
    }),
    imagePullsSuccess: registry.counter({
      name: `${prefix}image_pulls_success_total`,
      help: "Pulls that succeeded.",
      labels: [],
    }),
    imageLayerReuse: registry.counter({
      name: `${prefix}image_layer_reuse_total`,
      help: "Pulls that found a layer in the store, by the layer's digest.",
      labels: ["name"],
    }),
  };
}

function containerMetrics(registry: MetricsRegistry) {
  return {
    containersEventsDropped: registry.counter({
      name: `${prefix}containers_events_dropped_total`,
      help: "Container events that a subscriber did not get because it was too slow.",
      labels: [],
    }),
    containersOom: registry.counter({
      name: `${prefix}containers_oom_total`,
      help: "Containers that were killed for want of memory.",
      labels: [],
    }),
    containersOomCount: registry.counter({
      name: `${prefix}containers_oom_count_total`,
      help: "Containers that were killed for want of memory, by name.",
      labels: ["name"],
    }),
    containersSeccompNotifierCount: registry.counter({
      name: `${prefix}containers_seccomp_notifier_count_total`,
      help: "System calls that the seccomp notifier saw.",
      labels: ["name", "syscall"],
    }),
    containersStoppedMonitorCount: registry.counter({
      name: `${prefix}containers_stopped_monitor_count`,
      help: "Containers whose monitor ended before them.",
      labels: ["name"],
    }),
  };
}
