import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { htmlPage } from "./html.ts";
import { markdownTables } from "./markdown.ts";
import type { RunReport } from "./run-report.ts";

/** Writes `<time>.json`, `<time>.html` and `<time>.md`, and gives back their paths. */
export function writeReport(folder: string, report: RunReport): string[] {
  mkdirSync(folder, { recursive: true });
  const base = path.join(folder, report.startedAt.replaceAll(/[:.]/g, "-"));
  writeFileSync(`${base}.json`, `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(`${base}.html`, htmlPage(report));
  writeFileSync(`${base}.md`, markdownTables(report));
  return [`${base}.json`, `${base}.html`, `${base}.md`];
}
