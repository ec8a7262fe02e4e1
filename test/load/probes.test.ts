import assert from "node:assert/strict";
import { readdirSync, readFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { get } from "../support/http.ts";
import { buildImage } from "../support/image-builder.ts";
import { containerConfig, pull, removePod, runContainer, runPod, untilTerminated } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const podCount = 30;
const durationMs = Number(process.env["BERTH_LOAD_SECONDS"] ?? 120) * 1000;
const probeIntervalMs = 1000;

/** What grows when something leaks. */
interface Holdings {
  residentMb: number;
  descriptors: number;
  threads: number;
  children: number;
}

function holdings(daemon: TestDaemon): Holdings {
  const proc = `/proc/${daemon.pid}`;
  const status = readFileSync(`${proc}/status`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  const children = readdirSync(`${proc}/task`).flatMap((task) =>
    readFileSync(`${proc}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
  return {
    residentMb: Math.round(field("VmRSS") / 1024),
    descriptors: readdirSync(`${proc}/fd`).length,
    threads: field("Threads"),
    children: children.length,
  };
}

describe("probes of many pods beside pulls", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-load-"));
  const socketPath = path.join(folder, "metrics.sock");
  after(() => rmSync(folder, { recursive: true }));
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.metrics": `enable_metrics = true\nmetrics_port = 0\nmetrics_socket = "${socketPath}"`,
    },
  }));

  async function longestDelayMs(): Promise<number> {
    const { body } = await get({ socketPath }, "/metrics");
    const line = body.split("\n").find((one) => one.startsWith('berth_event_loop_delay_seconds{quantile="1"}')) ?? "";
    return Number(line.slice(line.lastIndexOf(" ") + 1)) * 1000;
  }

  async function probe(daemon: TestDaemon, containerId: string, signal: AbortSignal): Promise<number> {
    let count = 0;
    for (; !signal.aborted; count += 1) {
      const startedMs = performance.now();
      const { exitCode } = await daemon.client.call(RuntimeService.method.execSync, {
        containerId,
        cmd: ["true"],
        timeout: 30n,
      });
      assert.equal(exitCode, 0);
      await pause(Math.max(0, probeIntervalMs - (performance.now() - startedMs)), undefined, { signal }).catch(
        () => {},
      );
    }
    return count;
  }

  /** Pulls an image that is new each time, and removes it. */
  async function pullOn(daemon: TestDaemon, signal: AbortSignal): Promise<number> {
    let count = 0;
    for (; !signal.aborted; count += 1) {
      const content = Buffer.alloc(4 << 20, `pull ${count} `);
      const image = buildImage({ layers: [{ entries: [{ path: "data", content }] }] });
      const name = await suite.registry.push(image, "test/load", `n${count}`);
      await pull(daemon, name);
      await daemon.client.call(ImageService.method.removeImage, { image: { image: name } });
    }
    return count;
  }

  it("goes on without an error and without growth", { timeout: durationMs + 180_000 }, async (context) => {
    const { daemon, busybox } = suite;
    const pods = [];
    for (let index = 0; index < podCount; index += 1) pods.push(await runPod(daemon, `load-${index}`));
    const containers = await Promise.all(
      pods.map((pod) => runContainer(daemon, pod, containerConfig(busybox, "app", untilTerminated))),
    );
    const rehearsal = AbortSignal.timeout(Math.round(durationMs / 6));
    await Promise.all([...containers.map((id) => probe(daemon, id, rehearsal)), pullOn(daemon, rehearsal)]);
    const before = holdings(daemon);

    const end = AbortSignal.timeout(durationMs);
    const [pulls, ...probes] = await Promise.all([
      pullOn(daemon, end),
      ...containers.map((id) => probe(daemon, id, end)),
    ]);

    // The last commands are taken away a moment after their end.
    await eventually(
      "children to be no more than before",
      () => holdings(daemon).children <= before.children || undefined,
    );
    const now = holdings(daemon);
    const total = probes.reduce((sum, count) => sum + count, 0);
    context.diagnostic(
      `${total} probes, ${pulls} pulls; longest event-loop delay ${(await longestDelayMs()).toFixed(1)} ms`,
    );
    context.diagnostic(`before ${JSON.stringify(before)}, after ${JSON.stringify(now)}`);
    assert.ok(total >= podCount && pulls > 0, "nothing was done");
    assert.ok(
      now.descriptors <= before.descriptors + 8,
      `descriptors grew from ${before.descriptors} to ${now.descriptors}`,
    );
    assert.ok(now.threads <= before.threads + 2, `threads grew from ${before.threads} to ${now.threads}`);
    assert.ok(
      now.residentMb <= before.residentMb * 1.3 + 16,
      `memory grew from ${before.residentMb} to ${now.residentMb} MB`,
    );
    await Promise.all(pods.map((pod) => removePod(daemon, pod.id)));
  });
});
