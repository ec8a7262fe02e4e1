import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Floor } from "../floor/floor.ts";
import { inParallel } from "../measure/in-parallel.ts";
import { wholeCpuMs } from "../measure/processor-time.ts";
import { timedMs } from "../measure/timed.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { eachDaemon, figuresOf, interleaved, standAll, type Bench, type Scenario } from "./scenario.ts";

const name = "exec";
const oneAtATime = "ExecSync of true, one at a time";
const timeoutSeconds = 30n;

/** What probes cost: a program in a running container, to its end. */
export const exec: Scenario<{ rounds: number; perRound: number; parallel: number; atOnce: number }> = {
  name,
  about: "ExecSync of `true`, one at a time and sixteen at a time",
  quick: { rounds: 3, perRound: 10, parallel: 64, atOnce: 16 },
  full: { rounds: 20, perRound: 10, parallel: 320, atOnce: 16 },

  async run(bench, { rounds, perRound, parallel, atOnce }) {
    await standAll(bench, name, 1);
    const add = figuresOf(bench, name);
    const floorPod = await bench.floor?.startPod();
    const takers = [...bench.contestants.map(daemonTaker), ...floorTaker(bench.floor, floorPod?.id)];
    // The first one finds nothing in any cache.
    await interleaved(
      bench,
      name,
      takers,
      (taker) => taker.name,
      1,
      (taker) => taker.exec(),
    );
    await interleaved(
      bench,
      name,
      takers,
      (taker) => taker.name,
      rounds,
      async (taker) => {
        for (let i = 0; i < perRound; i += 1) add(oneAtATime, "ms", taker.name, await timedMs(() => taker.exec()));
      },
    );
    await eachDaemon(bench, name, Math.min(rounds, 3), async ({ daemon, standing }) => {
      const containerId = standing.pods[0]?.containerId ?? "";
      await measureParallel(bench, daemon, containerId, parallel, atOnce);
    });
    if (floorPod !== undefined) await bench.floor?.removePod(floorPod.id);
  },
};

interface Taker {
  name: string;
  exec(): Promise<void>;
}

function daemonTaker({ daemon, standing }: Bench["contestants"][number]): Taker {
  return { name: daemon.name, exec: () => execTrue(daemon, standing.pods[0]?.containerId ?? "") };
}

function floorTaker(floor: Floor | undefined, id: string | undefined): Taker[] {
  return floor === undefined || id === undefined ? [] : [{ name: floor.name, exec: () => floor.execTrue(id) }];
}

/** Executes `true` in a container by ExecSync. */
export async function execTrue(daemon: Daemon, containerId: string): Promise<void> {
  const request = { containerId, cmd: ["true"], timeout: timeoutSeconds };
  const { exitCode } = await daemon.client.call(RuntimeService.method.execSync, request);
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
}

async function measureParallel(
  bench: Bench,
  daemon: Daemon,
  containerId: string,
  count: number,
  atOnce: number,
): Promise<void> {
  const add = figuresOf(bench, name);
  const cpuBefore = wholeCpuMs(daemon);
  const wallMs = await timedMs(() =>
    inParallel(count, atOnce, async () => {
      bench.signal.throwIfAborted();
      const ms = await timedMs(() => execTrue(daemon, containerId));
      add(`ExecSync of true, among ${atOnce}`, "ms", daemon.name, ms);
    }),
  );
  const cpuAfter = wholeCpuMs(daemon);
  add(`${atOnce} at a time, wall time per ExecSync`, "ms", daemon.name, wallMs / count);
  if (cpuBefore !== undefined && cpuAfter !== undefined)
    add("processor time per ExecSync, all processes", "ms CPU", daemon.name, (cpuAfter - cpuBefore) / count);
}
