import { exec } from "./exec.ts";
import { lists } from "./lists.ts";
import { logs } from "./logs.ts";
import { memory } from "./memory.ts";
import { podEnd } from "./pod-end.ts";
import { podStartBeside } from "./pod-start-beside.ts";
import { podStartParallel } from "./pod-start-parallel.ts";
import { podStart } from "./pod-start.ts";
import { pull } from "./pull.ts";
import { restart } from "./restart.ts";
import type { Bench, Scenario, Sizes } from "./scenario.ts";
import { stalls } from "./stalls.ts";

/** A scenario whose sizes were chosen. */
export interface PlannedScenario {
  name: string;
  about: string;
  sizes: Sizes;
  run(bench: Bench): Promise<void>;
}

export interface SizeChoice {
  quick: boolean;
  /** `scenario.size` → number. */
  overrides: ReadonlyMap<string, number>;
}

/** The scenarios whose names begin with one of `wanted`; all for none. Unknown words are errors. */
export function planScenarios(wanted: readonly string[], choice: SizeChoice): PlannedScenario[] {
  // In this order each needs about as many standing pods as the one before; what writes much to disk comes last.
  const all = [
    plan(podStart, choice),
    plan(podEnd, choice),
    plan(podStartParallel, choice),
    plan(podStartBeside, choice),
    plan(exec, choice),
    plan(lists, choice),
    plan(memory, choice),
    plan(restart, choice),
    plan(logs, choice),
    plan(pull, choice),
    plan(stalls, choice),
  ];
  const unknown = wanted.find((word) => !all.some(({ name }) => name.startsWith(word)));
  if (unknown !== undefined)
    throw new Error(`there is no scenario ${unknown}; there are: ${all.map(({ name }) => name).join(", ")}`);
  return all.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)));
}

function plan<S extends Sizes>(scenario: Scenario<S>, { quick, overrides }: SizeChoice): PlannedScenario {
  const { name, about } = scenario;
  const chosen = Object.entries(quick ? scenario.quick : scenario.full).map(([size, value]) => [
    size,
    overrides.get(`${name}.${size}`) ?? value,
  ]);
  const sizes = Object.fromEntries(chosen) as S;
  return { name, about, sizes, run: (bench) => scenario.run(bench, sizes) };
}
