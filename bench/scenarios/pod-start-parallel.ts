import { inParallel } from "../measure/in-parallel.ts";
import { timedMs } from "../measure/timed.ts";
import { removePods, startPod, totalMs, type Pod } from "../pods.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Contestant, type Scenario } from "./scenario.ts";

const name = "pod-start-parallel";

/** Many pods, some at the same time: what a node does after a reboot. */
export const podStartParallel: Scenario<{ pods: number; atOnce: number; rounds: number }> = {
  name,
  about: "many pods with one container each, eight at a time, until all run",
  quick: { pods: 16, atOnce: 8, rounds: 1 },
  full: { pods: 100, atOnce: 8, rounds: 2 },

  async run(bench, sizes) {
    await standAll(bench, name, 0);
    await eachDaemon(bench, name, sizes.rounds, (contestant) => measure(bench, contestant, sizes));
  },
};

async function measure(bench: Bench, { daemon }: Contestant, sizes: { pods: number; atOnce: number }): Promise<void> {
  const add = figuresOf(bench, name);
  const started: Pod[] = [];
  const wallMs = await timedMs(() =>
    inParallel(sizes.pods, sizes.atOnce, async () => {
      bench.signal.throwIfAborted();
      const { pod, times } = await startPod(daemon, bench.images.service);
      started.push(pod);
      add(`one pod among ${sizes.atOnce}`, "ms", daemon.name, totalMs(times));
    }),
  );
  add(`${sizes.pods} pods, ${sizes.atOnce} at a time, wall time`, "ms", daemon.name, wallMs);
  const endMs = await timedMs(() => removePods(daemon, started, sizes.atOnce));
  add(`their end, ${sizes.atOnce} at a time, wall time`, "ms", daemon.name, endMs);
}
