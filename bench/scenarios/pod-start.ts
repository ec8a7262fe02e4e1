import type { Floor } from "../floor/floor.ts";
import { wholeCpuMs } from "../measure/processor-time.ts";
import { removePods, startPod, totalMs } from "../pods.ts";
import { figuresOf, interleaved, settle, standAll, type Bench, type Contestant, type Scenario } from "./scenario.ts";

const name = "pod-start";

/**
 * A pod with one container from nothing to running, one at a time, beside the plugins and the runtime called directly. A second one
 * follows at once, for which nobody can have anything ready.
 */
export const podStart: Scenario<{ rounds: number; warmUps: number }> = {
  name,
  about: "RunPodSandbox, CreateContainer and StartContainer of a pod with one container, one pod at a time",
  quick: { rounds: 8, warmUps: 1 },
  full: { rounds: 20, warmUps: 3 },

  async run(bench, { rounds, warmUps }) {
    await standAll(bench, name, 0);
    const all: (Contestant | Floor)[] = [...bench.contestants, ...(bench.floor === undefined ? [] : [bench.floor])];
    const nameOf = (one: Contestant | Floor): string => ("daemon" in one ? one.daemon.name : one.name);
    await interleaved(bench, name, all, nameOf, warmUps + rounds, async (one, round) => {
      const isWarm = round >= warmUps;
      if ("daemon" in one) await measureDaemon(bench, one, isWarm);
      else await measureFloor(bench, one, isWarm);
    });
  },
};

async function measureDaemon(bench: Bench, { daemon }: Contestant, isWarm: boolean): Promise<void> {
  const cpuBefore = wholeCpuMs(daemon);
  const { pod, times } = await startPod(daemon, bench.images.service);
  const cpuAfter = wholeCpuMs(daemon);
  const second = await startPod(daemon, bench.images.service);
  await removePods(daemon, [pod, second.pod]);
  await settle(bench);
  if (!isWarm) return;
  const add = figuresOf(bench, name);
  add("pod start", "ms", daemon.name, totalMs(times));
  add("RunPodSandbox (floor: CNI ADD)", "ms", daemon.name, times.runPodSandboxMs);
  add("CreateContainer (floor: runtime create)", "ms", daemon.name, times.createContainerMs);
  add("StartContainer (floor: runtime start)", "ms", daemon.name, times.startContainerMs);
  add("a second one at once", "ms", daemon.name, totalMs(second.times));
  if (cpuBefore !== undefined && cpuAfter !== undefined)
    add("processor time, all processes", "ms CPU", daemon.name, cpuAfter - cpuBefore);
}

async function measureFloor(bench: Bench, floor: Floor, isWarm: boolean): Promise<void> {
  const { id, addMs, createMs, startMs } = await floor.startPod();
  await floor.removePod(id);
  if (!isWarm) return;
  const add = figuresOf(bench, name);
  add("pod start", "ms", floor.name, addMs + createMs + startMs);
  add("RunPodSandbox (floor: CNI ADD)", "ms", floor.name, addMs);
  add("CreateContainer (floor: runtime create)", "ms", floor.name, createMs);
  add("StartContainer (floor: runtime start)", "ms", floor.name, startMs);
}
