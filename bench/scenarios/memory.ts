import { setTimeout as pause } from "node:timers/promises";
import type { Daemon } from "../daemons/daemon.ts";
import { memoryOf } from "../measure/memory.ts";
import { ProcessorClock, wholeCpuMs } from "../measure/processor-time.ts";
import { execTrue } from "./exec.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Scenario } from "./scenario.ts";

const name = "memory";
/** How often a kubelet probes unless a pod says otherwise. */
const probePeriodSeconds = 10;
/** What a burst leaves is given back within seconds: threads for layers end, heaps shrink. */
const settleMs = 12_000;

/** What a daemon and its helpers keep, and what they use of the processor when nothing is asked. */
export const memory: Scenario<{ some: number; many: number; probeSeconds: number; idleSeconds: number }> = {
  name,
  about: "memory of the daemon and all its helpers (proportional set size), and processor time while idle",
  quick: { some: 5, many: 10, probeSeconds: 10, idleSeconds: 5 },
  full: { some: 50, many: 200, probeSeconds: 600, idleSeconds: 30 },

  async run(bench, { some, many, probeSeconds, idleSeconds }) {
    for (const pods of [0, some]) await measureAt(bench, pods, `with ${pods} pods`);
    await probe(bench, probeSeconds);
    await measureAt(bench, some, `with ${some} pods, after ${probeSeconds} s of probes`);
    await measureAt(bench, many, `with ${many} pods`);
    await measureIdle(bench, many, idleSeconds);
  },
};

async function measureAt(bench: Bench, pods: number, when: string): Promise<void> {
  await standAll(bench, name, pods);
  await pause(settleMs, undefined, { signal: bench.signal });
  const add = figuresOf(bench, name);
  await eachDaemon(bench, name, 1, async ({ daemon }) => {
    const { daemon: self, helpers } = memoryOf(daemon);
    add(`all, ${when}`, "MiB", daemon.name, self.pssMiB + helpers.pssMiB);
    add(`daemon alone, ${when}`, "MiB", daemon.name, self.pssMiB);
  });
}

/** Probes every container of every daemon, evenly over the period. */
async function probe(bench: Bench, seconds: number): Promise<void> {
  bench.progress(`${name}: ${seconds} s of probes, each container every ${probePeriodSeconds} s`);
  const until = performance.now() + seconds * 1000;
  await Promise.all(
    bench.contestants.flatMap(({ daemon, standing }) =>
      standing.pods.map(({ containerId }, index) =>
        probeUntil(bench, daemon, containerId, until, (index / standing.pods.length) * probePeriodSeconds * 1000),
      ),
    ),
  );
}

async function probeUntil(
  bench: Bench,
  daemon: Daemon,
  containerId: string,
  until: number,
  offsetMs: number,
): Promise<void> {
  await pause(offsetMs, undefined, { signal: bench.signal });
  while (performance.now() < until) {
    const startedMs = performance.now();
    await execTrue(daemon, containerId);
    const leftMs = Math.min(startedMs + probePeriodSeconds * 1000, until) - performance.now();
    await pause(Math.max(0, leftMs), undefined, { signal: bench.signal });
  }
}

async function measureIdle(bench: Bench, pods: number, seconds: number): Promise<void> {
  bench.progress(`${name}: idle for ${seconds} s`);
  const usages = bench.contestants.map(({ daemon }) => {
    const clock = new ProcessorClock(daemon.pid);
    return { daemon, clock, daemonMs: clock.elapsedMs(), wholeMs: wholeCpuMs(daemon) };
  });
  await pause(seconds * 1000, undefined, { signal: bench.signal });
  const add = figuresOf(bench, name);
  const percent = (ms: number): number => (100 * ms) / (seconds * 1000);
  for (const { daemon, clock, daemonMs, wholeMs } of usages) {
    const title = `idle with ${pods} pods`;
    add(`${title}: daemon's processor time`, "%", daemon.name, percent(clock.elapsedMs() - daemonMs));
    const nowMs = wholeCpuMs(daemon);
    if (wholeMs !== undefined && nowMs !== undefined)
      add(`${title}: all processes`, "%", daemon.name, percent(nowMs - wholeMs));
  }
}
