import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Metric } from "#domain/runtime.ts";
import { exampleContainerRequest, noResources } from "#domain/container/request-example.ts";
import { createStats } from "../stats/stats-service.ts";
import { exampleContainer, exampleNode } from "../stats/stats-example.ts";

function nodeWith(included: readonly string[]) {
  const node = exampleNode();
  const request = exampleContainerRequest({ metadata: { name: "app", attempt: 2 } });
  const resources = {
    ...noResources,
    cpuPeriodUs: 100_000,
    cpuQuotaUs: 50_000,
    cpuShares: 512,
    memoryLimitBytes: 4096,
    memorySwapLimitBytes: -1,
    unified: { "memory.min": "1024" },
  };
  node.containers.adopt(exampleContainer("a", { request, resources }));
  return { ...node, stats: createStats(node.drivers, { collectionPeriodSeconds: 0, includedPodMetrics: included }) };
}

const everything = [
  ["cpu_cfs_periods_total", "cpu_cfs_throttled_periods_total", "cpu_cfs_throttled_seconds_total"],
  ["cpu_system_seconds_total", "cpu_usage_seconds_total", "cpu_user_seconds_total"],
  ["memory_cache", "memory_failcnt", "memory_failures_total", "memory_kernel_usage", "memory_mapped_file"],
  ["memory_max_usage_bytes", "memory_rss", "memory_swap", "memory_usage_bytes", "memory_working_set_bytes"],
  ["fs_inodes_free", "fs_inodes_total", "fs_limit_bytes", "fs_usage_bytes", "fs_reads_bytes_total", "fs_reads_total"],
  ["fs_writes_bytes_total", "fs_writes_total", "blkio_device_usage_total"],
  ["hugetlb_usage_bytes", "hugetlb_max_usage_bytes", "oom_events_total"],
  ["network_receive_bytes_total", "network_receive_packets_total", "network_receive_packets_dropped_total"],
  ["network_receive_errors_total", "network_transmit_bytes_total", "network_transmit_packets_total"],
  ["network_transmit_packets_dropped_total", "network_transmit_errors_total"],
  ["file_descriptors", "processes", "sockets", "threads", "threads_max", "ulimits_soft"],
  ["spec_cpu_period", "spec_cpu_shares", "spec_cpu_quota", "spec_memory_limit_bytes"],
  ["spec_memory_reservation_limit_bytes", "spec_memory_swap_limit_bytes", "start_time_seconds"],
  ["pressure_cpu_stalled_seconds_total", "pressure_cpu_waiting_seconds_total"],
  ["pressure_memory_stalled_seconds_total", "pressure_memory_waiting_seconds_total"],
  ["pressure_io_stalled_seconds_total", "pressure_io_waiting_seconds_total", "last_seen"],
]
  .flat()
  .map((name) => `container_${name}`);

describe("metric descriptors", () => {
  it("are CRI-O's 56 when all families are included", () => {
    const { stats } = nodeWith(["all"]);
    const descriptors = stats.metricDescriptors();
    assert.equal(descriptors.length, 56);
    assert.deepEqual(descriptors.map(({ name }) => name).toSorted(), everything.toSorted());
    const base = ["id", "name", "image", "namespace", "pod", "container"];
    const keys = (name: string) => descriptors.find((one) => one.name === `container_${name}`)?.labelKeys;
    assert.deepEqual(keys("memory_rss"), base);
    assert.deepEqual(keys("cpu_usage_seconds_total"), [...base, "cpu"]);
    assert.deepEqual(keys("memory_failures_total"), [...base, "failure_type", "scope"]);
    assert.deepEqual(keys("blkio_device_usage_total"), [...base, "device", "major", "minor", "operation"]);
    assert.deepEqual(keys("network_receive_bytes_total"), [...base, "interface"]);
    assert.deepEqual(keys("ulimits_soft"), [...base, "ulimit"]);
  });

  it("are those of the included families, and always when a container was last seen", () => {
    const names = (included: string[]) =>
      nodeWith(included)
        .stats.metricDescriptors()
        .map(({ name }) => name);
    assert.deepEqual(names([]), ["container_last_seen"]);
    assert.deepEqual(names(["oom"]), ["container_last_seen", "container_oom_events_total"]);
    assert.equal(names(["network"]).length, 9);
  });
});

describe("the page about metrics", () => {
  it("names every metric with its labels and its meaning", () => {
    const page = readFileSync(new URL("../../../../docs/stats-and-metrics.md", import.meta.url), "utf8");
    for (const { name, labelKeys, help } of nodeWith(["all"]).stats.metricDescriptors()) {
      if (name === "container_last_seen") continue;
      const more = labelKeys.slice(6).map((key) => `\`${key}\``);
      assert.ok(page.includes(`| \`${name}\` | ${more.join(", ")} | ${help} |`), name);
    }
  });
});

describe("metrics of a pod", () => {
  const samplesOf = (metrics: readonly Metric[], name: string) =>
    metrics
      .filter((one) => one.name === `container_${name}`)
      .map(({ labelValues, value }) => [labelValues.slice(6), value]);

  it("have a sample of every descriptor, with the labels that it names", async () => {
    const { stats } = nodeWith(["all"]);
    // The writable layer is measured for who asks; lists do not wait for it.
    await stats.container("a");
    const [pod] = await stats.listMetrics();
    assert.ok(pod !== undefined);
    const container = pod.containers.find(({ containerId }) => containerId === "a");
    assert.ok(container !== undefined);
    const all = [...pod.metrics, ...container.metrics];
    for (const { name, labelKeys } of stats.metricDescriptors()) {
      const samples = all.filter((one) => one.name === name);
      assert.ok(samples.length > 0, `no sample of ${name}`);
      for (const { labelValues } of samples) assert.equal(labelValues.length, labelKeys.length, name);
    }
    assert.deepEqual(container.metrics[0]?.labelValues, [
      "a",
      "k8s_app_web_default_a1b2_2",
      "busybox",
      "default",
      "web",
      "app",
    ]);
    assert.deepEqual(pod.metrics[0]?.labelValues, ["pod1", "POD", "", "default", "web", "POD", "net1"]);
  });

  it("are whole seconds, bytes and counts of what was read", async () => {
    const { stats } = nodeWith(["all"]);
    const [pod] = await stats.listMetrics();
    const metrics = pod?.containers[0]?.metrics ?? [];
    assert.deepEqual(samplesOf(metrics, "cpu_usage_seconds_total"), [[["total"], 12n]]);
    assert.deepEqual(samplesOf(metrics, "cpu_user_seconds_total"), [[[], 7n]]);
    assert.deepEqual(samplesOf(metrics, "memory_failures_total"), [
      [["pgfault", "container"], 20],
      [["pgmajfault", "container"], 2],
      [["pgfault", "hierarchy"], 20],
      [["pgmajfault", "hierarchy"], 2],
    ]);
    assert.deepEqual(samplesOf(metrics, "blkio_device_usage_total"), [
      [["8:0", "8", "0", "read"], 100],
      [["8:0", "8", "0", "write"], 200],
    ]);
    assert.deepEqual(samplesOf(metrics, "pressure_io_waiting_seconds_total"), [[[], 2]]);
    assert.deepEqual(samplesOf(metrics, "spec_memory_swap_limit_bytes"), [[[], 0]]);
    assert.deepEqual(samplesOf(metrics, "spec_memory_reservation_limit_bytes"), [[[], 1024]]);
    assert.deepEqual(samplesOf(metrics, "start_time_seconds"), [[[], 1_700_000_002n]]);
    assert.deepEqual(samplesOf(metrics, "threads_max"), [[[], 0]]);
    assert.deepEqual(samplesOf(pod?.metrics ?? [], "network_transmit_packets_dropped_total"), [
      [["net1"], 18],
      [["eth0"], 4],
    ]);
  });

  it("leave out what the kernel does not count", async () => {
    const { stats, groups } = nodeWith(["all"]);
    groups.clear();
    const [pod] = await stats.listMetrics();
    const names = new Set(pod?.containers[0]?.metrics.map(({ name }) => name));
    assert.ok(names.has("container_last_seen"));
    assert.ok(!names.has("container_memory_rss"));
    assert.ok(!names.has("container_pressure_cpu_waiting_seconds_total"));
  });

  it("are read only as far as the included families need", async () => {
    const node = nodeWith([]);
    const reads: (readonly string[] | undefined)[] = [];
    const usage: typeof node.drivers.usage = {
      ...node.drivers.usage,
      readUsage(group, parts) {
        reads.push(parts);
        return node.drivers.usage.readUsage(group, parts);
      },
    };
    const drivers = { ...node.drivers, usage };
    await createStats(drivers, { collectionPeriodSeconds: 0, includedPodMetrics: [] }).listMetrics();
    assert.deepEqual(reads, []);
    await createStats(drivers, { collectionPeriodSeconds: 0, includedPodMetrics: ["cpu", "oom"] }).listMetrics();
    assert.deepEqual(reads, [["cpu", "cpu-detail", "memory-detail"]]);
  });
});
