import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Floor } from "../floor/floor.ts";
import { inParallel } from "../measure/in-parallel.ts";
import { wholeCpuMs } from "../measure/processor-time.ts";
import { timedMs } from "../measure/timed.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { figuresOf, interleaved, standAll, type Bench, type Scenario } from "./scenario.ts";

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
    await interleaved(
      bench,
      name,
      takers,
      (taker) => taker.name,
      Math.min(rounds, 3),
      (taker) => measureParallel(bench, taker, parallel, atOnce),
    );
    if (floorPod !== undefined) await bench.floor?.removePod(floorPod.id);
  },
};

interface Taker {
  name: string;
  exec(): Promise<void>;
  /** Processor time of all that takes part; unknown of the floor, whose processes are among the benchmark's own. */
  cpuMs(): number | undefined;
}

function daemonTaker({ daemon, standing }: Bench["contestants"][number]): Taker {
  return {
    name: daemon.name,
    exec: () => execTrue(daemon, standing.pods[0]?.containerId ?? ""),
    cpuMs: () => wholeCpuMs(daemon),
  };
}

function floorTaker(floor: Floor | undefined, id: string | undefined): Taker[] {
  if (floor === undefined || id === undefined) return [];
  return [{ name: floor.name, exec: () => floor.execTrue(id), cpuMs: () => undefined }];
}

/** Executes `true` in a container by ExecSync. */
export async function execTrue(daemon: Daemon, containerId: string): Promise<void> {
  const request = { containerId, cmd: ["true"], timeout: timeoutSeconds };
  const { exitCode } = await daemon.client.call(RuntimeService.method.execSync, request);
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
}

async function measureParallel(bench: Bench, taker: Taker, count: number, atOnce: number): Promise<void> {
  const add = figuresOf(bench, name);
  const cpuBefore = taker.cpuMs();
  const wallMs = await timedMs(() =>
    inParallel(count, atOnce, async () => {
      bench.signal.throwIfAborted();
      add(`ExecSync of true, among ${atOnce}`, "ms", taker.name, await timedMs(() => taker.exec()));
    }),
  );
  const cpuAfter = taker.cpuMs();
  add(`${atOnce} at a time, wall time per ExecSync`, "ms", taker.name, wallMs / count);
  if (cpuBefore !== undefined && cpuAfter !== undefined)
    add("processor time per ExecSync, all processes", "ms CPU", taker.name, (cpuAfter - cpuBefore) / count);
}
