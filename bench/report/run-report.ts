import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { FigureReport } from "../measure/recorder.ts";
import type { Sizes } from "../scenarios/scenario.ts";
import { htmlPage } from "./html.ts";
import { markdownTables } from "./markdown.ts";
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

/** Writes `<time>.json`, `<time>.html` and `<time>.md`, and gives back their paths. */
export function writeReport(folder: string, report: RunReport): string[] {
  mkdirSync(folder, { recursive: true });
  const base = path.join(folder, report.startedAt.replaceAll(/[:.]/g, "-"));
  writeFileSync(`${base}.json`, `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(`${base}.html`, htmlPage(report));
  writeFileSync(`${base}.md`, markdownTables(report));
  return [`${base}.json`, `${base}.html`, `${base}.md`];
}
