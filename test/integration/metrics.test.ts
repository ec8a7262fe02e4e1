import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { get } from "../support/http.ts";
import { containerConfig, pull, removePod, runPod, runToEnd } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const crio = "container_runtime_crio_";

describe("metrics", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-metrics-"));
  const socketPath = path.join(folder, "metrics.sock");
  after(() => rmSync(folder, { recursive: true }));
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.metrics": `enable_metrics = true\nmetrics_port = 0\nmetrics_socket = "${socketPath}"`,
    },
  }));

  async function scrape(): Promise<(series: string) => number | undefined> {
    const { status, body } = await get({ socketPath }, "/metrics");
    assert.equal(status, 200);
    const samples = new Map(
      body
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line): [string, number] => {
          const at = line.lastIndexOf(" ");
          return [line.slice(0, at), Number(line.slice(at + 1))];
        }),
    );
    return (series) => samples.get(series);
  }

  it("count requests, pulls and network set-ups, and name the default runtime", async () => {
    const { daemon, busybox } = suite;
    await pull(daemon, busybox);
    await assert.rejects(pull(daemon, busybox.replace(/:[^:/]+$/, ":missing")));
    const now = await scrape();
    assert.equal(now(`${crio}default_runtime{runtime="runc"}`), 1);
    assert.ok((now(`${crio}operations_total{operation="RunPodSandbox"}`) ?? 0) >= 1);
    assert.ok((now(`${crio}operations_latency_seconds_total{operation="RunPodSandbox",quantile="0.5"}`) ?? 0) > 0);
    assert.ok((now(`${crio}operations_latency_seconds{operation="network_setup_pod"}`) ?? 0) > 0);
    assert.equal(now(`${crio}operations_errors_total{operation="PullImage"}`), 1);
    assert.ok((now(`${crio}image_pulls_success_total`) ?? 0) >= 2);
    assert.ok((now(`${crio}image_pulls_layer_size_count`) ?? 0) >= 1);
  });

  it("tell of the daemon itself", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "counted");
    await runToEnd(daemon, pod, containerConfig(busybox, "app", ["true"]));
    const now = await scrape();
    assert.equal(now('berth_pods{state="ready"}'), 1);
    assert.equal(now('berth_containers{state="exited"}'), 1);
    assert.ok((now("process_resident_memory_bytes") ?? 0) > 1e7);
    assert.ok((now('berth_event_loop_delay_seconds{quantile="1"}') ?? -1) >= 0);
    assert.ok((now(`${crio}processes_defunct`) ?? -1) >= 0);
    await removePod(daemon, pod.id);
  });

  it("count containers that the kernel killed for want of memory", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "hungry");
    const hungry = containerConfig(busybox, "eater", ["sh", "-c", "x=a; while true; do x=$x$x$x; done"], {
      linux: { resources: { memoryLimitInBytes: 20n * 1024n ** 2n, memorySwapLimitInBytes: 20n * 1024n ** 2n } },
    });
    const { status } = await runToEnd(daemon, pod, hungry);
    assert.equal(status.reason, "OOMKilled");
    const now = await eventually("the end to be counted", async () => {
      const seen = await scrape();
      return seen(`${crio}containers_oom_total`) === 1 ? seen : undefined;
    });
    const { name, namespace, uid } = pod.config.metadata ?? {};
    assert.equal(now(`${crio}containers_oom_count_total{name="k8s_eater_${name}_${namespace}_${uid}_0"}`), 1);
    await removePod(daemon, pod.id);
  });
});
