import type { FigureReport } from "../measure/recorder.ts";
import { betterPeer, type TargetVerdict } from "./targets.ts";

const marks = { met: "✓", missed: "✗", "not measured": "-" } as const;

/** A table for each scenario: median and p90 of each contestant, and berth's ratios. */
export function figureTables(figures: readonly FigureReport[]): string {
  const contestants = [...new Set(figures.flatMap((figure) => Object.keys(figure.contestants)))].sort(floorLast);
  const scenarios = [...new Set(figures.map(({ scenario }) => scenario))];
  return scenarios
    .map((scenario) => {
      const own = figures.filter((figure) => figure.scenario === scenario);
      const shown = contestants.filter((name) => own.some((figure) => name in figure.contestants));
      const head = [scenario, "unit", ...shown.map((name) => `${name} (p90)`), "/ peer", "/ floor"];
      return columns([head, ...own.map((figure) => figureRow(figure, shown))]);
    })
    .join("\n\n");
}

function floorLast(a: string, b: string): number {
  return Number(a === "floor") - Number(b === "floor");
}

/** The targets with a mark per row. */
export function targetTable(verdicts: readonly TargetVerdict[]): string {
  const rows = verdicts.map(({ title, atMost, unit, value, verdict }) => [
    marks[verdict],
    title,
    unit === "ms" ? `${atMost} ms` : atMost.toFixed(2),
    value === undefined ? "-" : unit === "ms" ? `${value.toFixed(1)} ms` : value.toFixed(2),
  ]);
  return columns([["", "target", "at most", "this run"], ...rows]);
}

function figureRow(figure: FigureReport, contestants: readonly string[]): string[] {
  const cells = contestants.map((name) => {
    const summary = figure.contestants[name];
    if (summary === undefined) return "-";
    return summary.count === 1 ? digits(summary.median) : `${digits(summary.median)} (${digits(summary.p90)})`;
  });
  const own = figure.contestants["berth"]?.median;
  return [
    figure.name,
    figure.unit,
    ...cells,
    over(own, betterPeer(figure)),
    over(own, figure.contestants["floor"]?.median),
  ];
}

function over(value: number | undefined, base: number | undefined): string {
  return value === undefined || base === undefined || base === 0 ? "-" : (value / base).toFixed(2);
}

/** Three significant digits, whole numbers whole. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Cells in columns as wide as their widest. */
export function columns(rows: readonly string[][]): string {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, index) => Math.max(cell.length, known[index] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
