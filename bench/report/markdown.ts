import type { FigureReport } from "../measure/recorder.ts";
import type { RunReport } from "./run-report.ts";
import { betterPeer, type TargetVerdict } from "./targets.ts";
import { digits } from "./text.ts";

/** The tables of a run as Markdown, for docs/performance.md. */
export function markdownTables(report: RunReport): string {
  const { machine, contestants } = report;
  const versions = Object.values(machine.versions).join("; ");
  const scenarios = report.scenarios.map(({ name, about, sizes }) => {
    const figures = report.figures.filter((figure) => figure.scenario === name);
    const chosen = Object.entries(sizes).map(([size, value]) => `${size} ${value}`);
    return `### ${name}\n\n${about} (${chosen.join(", ")}).\n\n${figureTable(figures, contestants)}`;
  });
  return `Taken ${report.startedAt} on ${machine.processors} processors (${machine.model}), Linux ${machine.kernel}: ${versions}.

${targetTable(report.targets)}

${scenarios.join("\n\n")}
`;
}

function targetTable(targets: readonly TargetVerdict[]): string {
  const rows = targets.map(({ title, atMost, unit, value, verdict }) => {
    const suffix = unit === "ms" ? " ms" : "";
    return [title, `${atMost}${suffix}`, value === undefined ? "" : `${digits(value)}${suffix}`, verdict];
  });
  return table([["target", "at most", "this run", ""], ...rows]);
}

function figureTable(figures: readonly FigureReport[], contestants: readonly string[]): string {
  const shown = contestants.filter((name) => figures.some((figure) => name in figure.contestants));
  const rows = figures.map((figure) => {
    const own = figure.contestants["berth"]?.median;
    const peer = betterPeer(figure);
    const ratio = own === undefined || peer === undefined || peer === 0 ? "" : (own / peer).toFixed(2);
    return [`${figure.name}, ${figure.unit}`, ...shown.map((name) => cell(figure, name)), ratio];
  });
  return table([["median (p90)", ...shown, "berth / better peer"], ...rows]);
}

function cell(figure: FigureReport, contestant: string): string {
  const summary = figure.contestants[contestant];
  if (summary === undefined) return "";
  return summary.count === 1 ? digits(summary.median) : `${digits(summary.median)} (${digits(summary.p90)})`;
}

function table(rows: readonly string[][]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line)].join("\n");
}
