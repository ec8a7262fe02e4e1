import type { Floor } from "../floor/floor.ts";
import { removePods, startPod, totalMs } from "../pods.ts";
import { eachDaemon, figuresOf, settle, standAll, type Bench, type Contestant, type Scenario } from "./scenario.ts";

const name = "pod-start-beside";

/** Whoever has just been started has everything to load. */
const warmUps = 3;

/**
 * A pod start beside others, and beside none before they come and when they have gone, so that a slow minute is not taken for their work.
 * Daemon by daemon instead of interleaved: pods of all daemons at once would make the machine, and its masquerading rules above all, as
 * full as three nodes. The floor is measured at the same fill.
 */
export const podStartBeside: Scenario<{ few: number; many: number; rounds: number }> = {
  name,
  about: "one pod start with others there already, of the same daemon only",
  quick: { few: 0, many: 12, rounds: 4 },
  full: { few: 100, many: 300, rounds: 10 },

  async run(bench, { few, many, rounds }) {
    await standAll(bench, name, 0);
    const levels = [...new Set([0, few, many]), 0];
    await eachDaemon(bench, name, 1, async (contestant) => {
      for (let round = 0; round < warmUps; round += 1) await onePod(bench, contestant);
      for (const level of levels) {
        bench.progress(`${name}: ${contestant.daemon.name} with ${level} pods`);
        await contestant.standing.resize(level);
        await measure(bench, contestant, level, rounds);
        if (bench.floor !== undefined) await measureFloor(bench, bench.floor, contestant, level, rounds);
      }
    });
  },
};

async function measure(bench: Bench, contestant: Contestant, level: number, rounds: number): Promise<void> {
  const add = figuresOf(bench, name);
  for (let round = 0; round < rounds; round += 1)
    add(`pod start beside ${level}`, "ms", contestant.daemon.name, await onePod(bench, contestant));
}

/** How long its start takes, in ms; it is taken away again. */
async function onePod(bench: Bench, { daemon }: Contestant): Promise<number> {
  await settle(bench);
  const { pod, times } = await startPod(daemon, bench.images.service);
  await removePods(daemon, [pod]);
  return totalMs(times);
}

/** Under the name of the daemon whose pods are there. */
async function measureFloor(
  bench: Bench,
  floor: Floor,
  { daemon }: Contestant,
  level: number,
  rounds: number,
): Promise<void> {
  for (let round = 0; round < Math.ceil(rounds / 2); round += 1) {
    bench.signal.throwIfAborted();
    const { id, addMs, createMs, startMs } = await floor.startPod();
    await floor.removePod(id);
    figuresOf(bench, name)(`floor beside ${level} of this daemon`, "ms", daemon.name, addMs + createMs + startMs);
  }
}
