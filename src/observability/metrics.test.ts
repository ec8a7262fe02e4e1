import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { createRuntimeMetrics, sizeLabel } from "./metric-names.ts";
import { MetricsRegistry } from "./metrics.ts";

describe("the metrics registry", () => {
  it("renders counters with help, type and escaped labels", () => {
    const registry = new MetricsRegistry();
    const pulls = registry.counter({ name: "pulls_total", help: "Pulls\nof images.", labels: ["name"] });
    pulls.add({ name: 'a"b\\c\nd' });
    pulls.add({ name: 'a"b\\c\nd' }, 2.5);
    pulls.add({ name: "z" }, -1);
    assert.equal(
      registry.render(),
      [
        "# HELP pulls_total Pulls\\nof images.",
        "# TYPE pulls_total counter",
        'pulls_total{name="a\\"b\\\\c\\nd"} 3.5',
        "",
      ].join("\n"),
    );
  });

  it("renders a metric without labels from the start, and one with labels once it has a series", () => {
    const registry = new MetricsRegistry();
    registry.counter({ name: "a_total", help: "A.", labels: [] });
    registry.counter({ name: "b_total", help: "B.", labels: ["x"] });
    assert.match(registry.render(), /^a_total 0$/m);
    assert.doesNotMatch(registry.render(), /b_total/);
  });

  it("asks a collected gauge at each rendering", () => {
    const registry = new MetricsRegistry();
    let value = 1;
    registry.gauge({ name: "g", help: "G.", labels: [], collect: () => value });
    assert.match(registry.render(), /^g 1$/m);
    value = 2;
    assert.match(registry.render(), /^g 2$/m);
  });

  it("renders histograms with cumulative buckets, sum and count", () => {
    const registry = new MetricsRegistry();
    const sizes = registry.histogram({ name: "h", help: "H.", labels: ["k"], buckets: [1, 10] });
    for (const value of [0.5, 1, 5, 100]) sizes.observe({ k: "v" }, value);
    assert.deepEqual(registry.render().split("\n").slice(2, -1), [
      'h_bucket{k="v",le="1"} 2',
      'h_bucket{k="v",le="10"} 3',
      'h_bucket{k="v",le="+Inf"} 4',
      'h_sum{k="v"} 106.5',
      'h_count{k="v"} 4',
    ]);
  });

  it("renders the quantiles of the last observations of a summary", () => {
    const registry = new MetricsRegistry();
    const latency = registry.summary({ name: "s", help: "S.", labels: [], quantiles: [0.5, 0.9], window: 10 });
    for (let value = 1; value <= 20; value++) latency.observe({}, value);
    assert.deepEqual(registry.render().split("\n").slice(2, -1), [
      's{quantile="0.5"} 15',
      's{quantile="0.9"} 19',
      "s_sum 210",
      "s_count 20",
    ]);
  });

  it("counts under `other` what exceeds its bound of series", () => {
    const registry = new MetricsRegistry();
    const many = registry.counter({ name: "m_total", help: "M.", labels: ["name"] });
    for (let index = 0; index < 5000; index++) many.add({ name: `n${index}` });
    const lines = registry.render().split("\n");
    assert.ok(lines.length < 2100);
    assert.ok(lines.includes('m_total{name="other"} 3000'));
  });

  it("refuses a name twice", () => {
    const registry = new MetricsRegistry();
    registry.counter({ name: "a", help: "A.", labels: [] });
    assert.throws(() => registry.gauge({ name: "a", help: "A.", labels: [] }), /twice/);
  });
});

describe("the metrics of the daemon", () => {
  it("have CRI-O's names and render only chosen ones of these, named with or without prefix", () => {
    const all = createRuntimeMetrics(["all"]);
    all.operations.add({ operation: "Version" });
    all.operationsLatencySummary.observe({ operation: "Version" }, 0.01);
    assert.match(all.render(), /^container_runtime_crio_operations_total\{operation="Version"\} 1$/m);
    assert.match(all.render(), /operations_latency_seconds_total\{operation="Version",quantile="0\.99"\} 0\.01/);
    const some = createRuntimeMetrics(["crio_containers_oom_total", "image_pulls_success_total"]);
    const names = [...some.render().matchAll(/^# TYPE (\S+)/gm)].map((match) => String(match[1]));
    assert.deepEqual(names, [
      "container_runtime_crio_image_pulls_success_total",
      "container_runtime_crio_containers_oom_total",
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "process_open_fds",
      "process_start_time_seconds",
    ]);
  });

  it("name sizes as CRI-O does", () => {
    assert.deepEqual([0, 1000, 1001, 2e6, 5e8, 5e8 + 1, 1e12].map(sizeLabel), [
      "0 B",
      "0 B",
      ">1 KiB",
      ">1 MiB",
      ">400 MiB",
      ">500 MiB",
      ">10 GiB",
    ]);
  });

  it("are listed in docs/endpoints.md", () => {
    const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/endpoints.md"), "utf8");
    for (const { name, type, labels, help } of createRuntimeMetrics(["all"]).definitions()) {
      const row = `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`;
      assert.ok(page.includes(row), `the page lacks the row\n${row}`);
    }
  });
});
