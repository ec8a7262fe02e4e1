import type { FigureReport } from "../measure/recorder.ts";
import type { Sizes } from "../scenarios/scenario.ts";
import type { TargetVerdict } from "./targets.ts";

/** The machine and the versions of what ran on it. */
export interface Machine {
  processors: number;
  model: string;
  memoryMiB: number;
  kernel: string;
  node: string;
  versions: Record<string, string>;
}

/** Everything that a run found out, as it is written to JSON. */
export interface RunReport {
  startedAt: string;
  tookSeconds: number;
  machine: Machine;
  settings: { masquerade: boolean; runtime: string };
  scenarios: { name: string; about: string; sizes: Sizes }[];
  contestants: string[];
  figures: FigureReport[];
  targets: TargetVerdict[];
  notes: readonly string[];
}
