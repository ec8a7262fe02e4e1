// The phases of a pod start on a berth of its own, in milliseconds, beside the bare cost of the CNI plugins and the OCI runtime, which
// are called directly in the same rounds: `pod-start.ts [--rounds 10] [--runtime runc] [--no-masquerade]`.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { cannotRunPods } from "../test/support/requirements.ts";
import { startRegistry } from "../test/support/registry.ts";
import { layFloor, pullServiceImage, sharedParts, startOwnDaemon } from "./contestants.ts";
import type { OwnDaemon } from "./daemons/daemon.ts";
import { sweepPlaces } from "./daemons/sweep.ts";
import type { Floor } from "./floor/floor.ts";
import { pushBaseImages } from "./images/images.ts";
import { summarize } from "./measure/statistics.ts";
import { removePods, startPod, totalMs } from "./pods.ts";
import { columns, digits } from "./report/text.ts";

const warmUps = 2;

/** One row: a phase, and what of it the floor knows. */
interface Phase {
  name: string;
  berthMs: number[];
  floorMs: number[];
}

/** Runs one pod after the other on berth and on the floor. */
async function measure(berth: OwnDaemon, floor: Floor, image: string, rounds: number): Promise<Phase[]> {
  const phases = new Map<string, Phase>();
  const add = (name: string, side: "berthMs" | "floorMs", ms: number): void => {
    const phase = phases.get(name) ?? { name, berthMs: [], floorMs: [] };
    phases.set(name, phase);
    phase[side].push(ms);
  };
  for (let round = 0; round < warmUps + rounds; round += 1) {
    const readUntil = readFileSync(berth.places.daemonLog).length;
    const { pod, times } = await startPod(berth, image);
    const addMs = pluginMs(readFileSync(berth.places.daemonLog).subarray(readUntil).toString("utf8"));
    await removePods(berth, [pod]);
    const bare = await floor.startPod();
    await floor.removePod(bare.id);
    if (round < warmUps) continue;
    add("RunPodSandbox", "berthMs", times.runPodSandboxMs);
    add("  CNI plugins", "berthMs", addMs);
    add("  CNI plugins", "floorMs", bare.addMs);
    add("  the rest", "berthMs", times.runPodSandboxMs - addMs);
    add("CreateContainer", "berthMs", times.createContainerMs);
    add("  runtime create", "floorMs", bare.createMs);
    add("  the rest: root file system, bundle, monitor", "berthMs", times.createContainerMs - bare.createMs);
    add("StartContainer", "berthMs", times.startContainerMs);
    add("  runtime start", "floorMs", bare.startMs);
    add("  the rest", "berthMs", times.startContainerMs - bare.startMs);
    add("pod start", "berthMs", totalMs(times));
    add("pod start", "floorMs", bare.addMs + bare.createMs + bare.startMs);
  }
  return [...phases.values()];
}

/** What the daemon's log says of the time that its CNI plugins took. */
function pluginMs(log: string): number {
  const lines = log.split("\n").filter((line) => line.includes("CNI plugin done") && line.includes("command=ADD"));
  return lines.reduce((sum, line) => sum + Number(/durationMs=([\d.]+)/.exec(line)?.[1] ?? 0), 0);
}

function table(phases: readonly Phase[]): string {
  const cell = (samples: readonly number[]): string => {
    const summary = summarize(samples);
    return summary === undefined ? "" : `${digits(summary.median)} (${digits(summary.p90)})`;
  };
  const rows = phases.map(({ name, berthMs, floorMs }) => [name, cell(berthMs), cell(floorMs)]);
  return columns([["phase, ms: median (p90)", "berth", "called directly"], ...rows]);
}

const { values } = parseArgs({
  allowNegative: true,
  options: {
    rounds: { type: "string", default: "10" },
    runtime: { type: "string", default: "runc" },
    masquerade: { type: "boolean", default: true },
  },
});
const obstacle = cannotRunPods();
if (obstacle !== false) throw new Error(`cannot run pods here: ${obstacle}`);
await sweepPlaces();
await using acquired = new AsyncDisposableStack();
const registry = acquired.use(await startRegistry());
const images = await pushBaseImages(registry);
// The durations of plugins are in the debug log.
const parts = sharedParts({ runtime: values.runtime, logLevel: "debug" }, registry, images);
const settings = { masquerade: values.masquerade, nodeOptions: "" };
// A network that waits would hide what the plugins take, and one that is being made would be taken for the pod's.
process.env["BERTH_STANDBY_NETWORKS"] = "0";
const berth = await startOwnDaemon("berth", parts, settings, acquired);
await pullServiceImage([berth], images.service);
const floor = await layFloor([berth], images.service, parts, settings, acquired);
const phases = await measure(berth, floor, images.service, Number(values.rounds));
console.log(table(phases));
const total = phases.find(({ name }) => name === "pod start");
const [own, bare] = [summarize(total?.berthMs ?? [])?.median, summarize(total?.floorMs ?? [])?.median];
if (own !== undefined && bare !== undefined)
  console.log(`\npod start is ${(own / bare).toFixed(2)} of the parts called directly`);
