// Measures CRI daemons side by side, interleaved in one run, on the same parts: `main.ts --help`. Prints medians, p90 and ratios,
// judges the targets, and writes JSON and a page with charts. Takes everything away again, also when it is interrupted.
import { once } from "node:events";
import path from "node:path";
import { cannotRunPods } from "../test/support/requirements.ts";
import { startRegistry } from "../test/support/registry.ts";
import { chosenDaemons, joinDaemon, layFloor, pullServiceImage, sharedParts, startOwnDaemon } from "./contestants.ts";
import type { Daemon } from "./daemons/daemon.ts";
import { sweepPlaces } from "./daemons/sweep.ts";
import { pushBaseImages } from "./images/images.ts";
import { describeMachine } from "./machine.ts";
import { Recorder } from "./measure/recorder.ts";
import { parseOptions, usage, type BenchOptions } from "./options.ts";
import type { RunReport } from "./report/run-report.ts";
import { writeReport } from "./report/write-report.ts";
import { judge } from "./report/targets.ts";
import { figureTables, targetTable } from "./report/text.ts";
import { planScenarios, type PlannedScenario } from "./scenarios/index.ts";
import type { Bench } from "./scenarios/scenario.ts";
import { StandingPods } from "./standing-pods.ts";

const interruptedStatus = 130;
const resultsFolder = path.join(import.meta.dirname, "results");

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function progress(text: string): void {
  const seconds = (performance.now() / 1000).toFixed(0);
  process.stderr.write(`${seconds.padStart(5)} s  ${text}\n`);
}

async function main(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const obstacle = cannotRunPods();
  if (obstacle !== false) throw new Error(`cannot run pods here: ${obstacle}`);
  const plan = planScenarios(options.only, options);
  await sweepPlaces();
  const recorder = new Recorder();
  await using acquired = new AsyncDisposableStack();
  const report = await measure(options, plan, recorder, signal, acquired).catch((error: unknown) => {
    // What was measured until then was not measured for nothing.
    if (signal.aborted) say(`\n${figureTables(recorder.report())}`);
    throw error;
  });
  say(`\n${figureTables(report.figures)}\n\n${targetTable(report.targets)}`);
  for (const note of report.notes) say(`\nnote: ${note}`);
  say(`\nwritten: ${writeReport(resultsFolder, report).join(", ")}`);
}

async function measure(
  options: BenchOptions,
  plan: readonly PlannedScenario[],
  recorder: Recorder,
  signal: AbortSignal,
  acquired: AsyncDisposableStack,
): Promise<RunReport> {
  const startedAt = new Date();
  const registry = acquired.use(await startRegistry());
  const images = await pushBaseImages(registry);
  const parts = sharedParts(options, registry, images);
  const daemons: Daemon[] = options.sockets.map((socket) => joinDaemon(socket, options, acquired));
  for (const name of chosenDaemons(options)) {
    signal.throwIfAborted();
    progress(`starting ${name}`);
    daemons.push(await startOwnDaemon(name, parts, options, acquired));
  }
  await pullServiceImage(daemons, images.service);
  const floor = options.floor ? await layFloor(daemons, images.service, parts, options, acquired) : undefined;
  const contestants = daemons.map((daemon) => ({ daemon, standing: new StandingPods(daemon, images.service, signal) }));
  const bench: Bench = { contestants, floor, registry, images, recorder, signal, progress };
  await runAll(bench, plan);
  const figures = recorder.report();
  return {
    startedAt: startedAt.toISOString(),
    tookSeconds: (Date.now() - startedAt.getTime()) / 1000,
    machine: await describeMachine(daemons, parts),
    settings: { masquerade: options.masquerade, runtime: parts.runtime },
    scenarios: plan.map(({ name, about, sizes }) => ({ name, about, sizes })),
    contestants: [...daemons.map(({ name }) => name), ...(floor === undefined ? [] : [floor.name])],
    figures,
    targets: judge(figures),
    notes: recorder.notes,
  };
}

/** A scenario that fails is noted, and the others still run. An interruption does not wait for the call under way. */
async function runAll(bench: Bench, plan: readonly PlannedScenario[]): Promise<void> {
  const interrupted = once(bench.signal, "abort");
  for (const scenario of plan) {
    bench.signal.throwIfAborted();
    bench.progress(`${scenario.name}: ${scenario.about}`);
    try {
      const work = scenario.run(bench);
      work.catch(() => {});
      await Promise.race([work, interrupted]);
    } catch (error) {
      bench.signal.throwIfAborted();
      bench.recorder.note(`${scenario.name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    bench.signal.throwIfAborted();
  }
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (interruption.signal.aborted) return;
    process.stderr.write("interrupted: taking everything away\n");
    interruption.abort(new Error("interrupted"));
  });
}
const options = parseOptions(process.argv.slice(2));
if (options === undefined) say(usage);
else {
  await main(options, interruption.signal).catch((error: unknown) => {
    if (!interruption.signal.aborted) throw error;
    process.exitCode = interruptedStatus;
  });
}
