import type { Floor } from "../floor/floor.ts";
import { wholeCpuMs } from "../measure/processor-time.ts";
import { endPod, serviceReady, startPod, totalMs } from "../pods.ts";
import { figuresOf, interleaved, settle, standAll, type Bench, type Contestant, type Scenario } from "./scenario.ts";

const name = "pod-end";

/** A running pod to nothing, one at a time. The container ends at once when it is told to. */
export const podEnd: Scenario<{ rounds: number }> = {
  name,
  about: "StopContainer, RemoveContainer, StopPodSandbox and RemovePodSandbox, one pod at a time",
  quick: { rounds: 8 },
  full: { rounds: 20 },

  async run(bench, { rounds }) {
    await standAll(bench, name, 0);
    const all: (Contestant | Floor)[] = [...bench.contestants, ...(bench.floor === undefined ? [] : [bench.floor])];
    const nameOf = (one: Contestant | Floor): string => ("daemon" in one ? one.daemon.name : one.name);
    await interleaved(bench, name, all, nameOf, rounds, (one) =>
      "daemon" in one ? measureDaemon(bench, one) : measureFloor(bench, one),
    );
  },
};

async function measureDaemon(bench: Bench, { daemon }: Contestant): Promise<void> {
  const { pod } = await startPod(daemon, bench.images.service);
  await serviceReady(pod);
  await settle(bench);
  const cpuBefore = wholeCpuMs(daemon);
  const times = await endPod(daemon, pod);
  const cpuAfter = wholeCpuMs(daemon);
  const add = figuresOf(bench, name);
  add("pod end", "ms", daemon.name, totalMs(times));
  add("StopContainer (floor: signal and wait)", "ms", daemon.name, times.stopContainerMs);
  add("RemoveContainer (floor: runtime delete)", "ms", daemon.name, times.removeContainerMs);
  add("StopPodSandbox (floor: CNI DEL)", "ms", daemon.name, times.stopPodSandboxMs);
  add("RemovePodSandbox", "ms", daemon.name, times.removePodSandboxMs);
  if (cpuBefore !== undefined && cpuAfter !== undefined)
    add("processor time, all processes", "ms CPU", daemon.name, cpuAfter - cpuBefore);
}

async function measureFloor(bench: Bench, floor: Floor): Promise<void> {
  const { id } = await floor.startPod();
  const { killMs, deleteMs, delMs } = await floor.endPod(id);
  const add = figuresOf(bench, name);
  add("pod end", "ms", floor.name, killMs + deleteMs + delMs);
  add("StopContainer (floor: signal and wait)", "ms", floor.name, killMs);
  add("RemoveContainer (floor: runtime delete)", "ms", floor.name, deleteMs);
  add("StopPodSandbox (floor: CNI DEL)", "ms", floor.name, delMs);
}
