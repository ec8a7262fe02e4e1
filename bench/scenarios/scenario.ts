import { setTimeout as pause } from "node:timers/promises";
import type { Daemon } from "../daemons/daemon.ts";
import type { Floor } from "../floor/floor.ts";
import type { BaseImages } from "../images/images.ts";
import type { Recorder, Unit } from "../measure/recorder.ts";
import type { StandingPods } from "../standing-pods.ts";
import type { TestRegistry } from "../../test/support/registry.ts";

/** A daemon with its pods that are just there. */
export interface Contestant {
  readonly daemon: Daemon;
  readonly standing: StandingPods;
}

/** What a scenario works with. */
export interface Bench {
  readonly contestants: readonly Contestant[];
  /** The parts that no runtime can avoid, called directly. */
  readonly floor: Floor | undefined;
  readonly registry: TestRegistry;
  readonly images: BaseImages;
  readonly recorder: Recorder;
  /** Aborts when the run is interrupted; every loop looks at it. */
  readonly signal: AbortSignal;
  /** Tells the person who waits what is going on. */
  progress(text: string): void;
}

/** Numbers that make a run short or long. */
export type Sizes = Readonly<Record<string, number>>;

export interface Scenario<S extends Sizes = Sizes> {
  readonly name: string;
  /** One line for the report. */
  readonly about: string;
  readonly quick: S;
  readonly full: S;
  run(bench: Bench, sizes: S): Promise<void>;
}

/** Longer than any daemon goes on behind what it was asked for. */
const settleMs = 1000;

/** What a daemon does behind a request, such as making things ready for the next one, must not be at the expense of another's turn. */
export async function settle(bench: Bench): Promise<void> {
  await pause(settleMs, undefined, { signal: bench.signal });
}

/** Records figures of one scenario. */
export function figuresOf(bench: Bench, scenario: string) {
  return (name: string, unit: Unit, contestant: string, value: number): void =>
    bench.recorder.add(scenario, name, unit, contestant, value);
}

/**
 * Calls `work` for each contestant in turn, `rounds` times: A B C, then B C A, so that none always comes first. A contestant that
 * fails is left out of the rest, with a note in the report.
 */
export async function interleaved<C>(
  bench: Bench,
  scenario: string,
  contestants: readonly C[],
  nameOf: (contestant: C) => string,
  rounds: number,
  work: (contestant: C, round: number) => Promise<void>,
): Promise<void> {
  let left = [...contestants];
  for (let round = 0; round < rounds; round += 1) {
    const first = left.length === 0 ? 0 : round % left.length;
    for (const contestant of [...left.slice(first), ...left.slice(0, first)]) {
      bench.signal.throwIfAborted();
      try {
        await work(contestant, round);
      } catch (error) {
        bench.signal.throwIfAborted();
        left = left.filter((other) => other !== contestant);
        bench.recorder.note(`${scenario}: ${nameOf(contestant)} failed and was left out: ${describe(error)}`);
      }
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `interleaved` over the daemons. */
export function eachDaemon(
  bench: Bench,
  scenario: string,
  rounds: number,
  work: (contestant: Contestant, round: number) => Promise<void>,
): Promise<void> {
  return interleaved(bench, scenario, bench.contestants, ({ daemon }) => daemon.name, rounds, work);
}

/** Every daemon gets as many standing pods as a scenario asks for. */
export async function standAll(bench: Bench, scenario: string, count: number): Promise<void> {
  const changing = bench.contestants.filter(({ standing }) => standing.pods.length !== count);
  if (changing.length > 0) bench.progress(`${scenario}: ${count} standing pods in each of ${changing.length} daemons`);
  await interleaved(
    bench,
    scenario,
    changing,
    ({ daemon }) => daemon.name,
    1,
    ({ standing }) => standing.resize(count),
  );
}
