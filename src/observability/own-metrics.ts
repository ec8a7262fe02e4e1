import { readdirSync } from "node:fs";
import type { MetricsRegistry } from "./metrics.ts";

/** Metrics that CRI-O does not have: of the process, by the names that Prometheus clients agree on, and of berth. */
export function registerOwnMetrics(registry: MetricsRegistry) {
  registerProcessMetrics(registry);
  return {
    eventLoopDelaySeconds: registry.gauge({
      name: "berth_event_loop_delay_seconds",
      help: "How late the main thread was at its work since the last scrape; quantile 1 is the worst. All requests wait that long.",
      labels: ["quantile"],
    }),
    pods: registry.gauge({ name: "berth_pods", help: "Pod sandboxes by state.", labels: ["state"] }),
    containers: registry.gauge({ name: "berth_containers", help: "Containers by state.", labels: ["state"] }),
  };
}

function registerProcessMetrics(registry: MetricsRegistry): void {
  const startedAtSeconds = Math.round(Date.now() / 1000 - process.uptime());
  registry.counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the daemon, all threads.",
    labels: [],
    collect() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  registry.gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the daemon.",
    labels: [],
    collect: () => process.memoryUsage.rss(),
  });
  registry.gauge({
    name: "process_open_fds",
    help: "Open file descriptors of the daemon.",
    labels: [],
    collect: () => readdirSync("/proc/self/fd").length,
  });
  registry.gauge({
    name: "process_start_time_seconds",
    help: "When the daemon was started, in seconds since the epoch.",
    labels: [],
    collect: () => startedAtSeconds,
  });
}
