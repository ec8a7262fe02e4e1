import type { FigureReport } from "../measure/recorder.ts";
import type { Summary } from "../measure/statistics.ts";
import type { RunReport } from "./run-report.ts";
import { digits } from "./text.ts";

const colours = ["#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2"];
const floorColour = "#9ca3af";

/** One page that needs nothing else: the targets, and a bar chart for each figure. */
export function htmlPage(report: RunReport): string {
  const scenarios = [...new Set(report.figures.map(({ scenario }) => scenario))];
  const sections = scenarios.map((name) => {
    const about = report.scenarios.find((scenario) => scenario.name === name)?.about ?? "";
    const charts = report.figures.filter((figure) => figure.scenario === name).map((figure) => chart(figure, report));
    return `<h2>${escaped(name)}</h2><p>${escaped(about)}</p><div class="charts">${charts.join("")}</div>`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>berth: figures of ${escaped(report.startedAt)}</title>
<style>${style}</style>
<h1>Figures of ${escaped(report.startedAt)}</h1>
<p>${escaped(machineLine(report))}</p>
<p>Bars are medians, the thin line reaches to the 90th percentile. Samples are in the JSON file beside this page.</p>
${targetRows(report)}
${sections.join("\n")}
${report.notes.length === 0 ? "" : `<h2>Notes</h2><ul>${report.notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>`}
</html>
`;
}

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#111}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}
.met{color:#047857}.missed{color:#b91c1c}.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:1rem}
figure{margin:0;padding:.6rem;border:1px solid #ddd;border-radius:6px}figcaption{font-weight:600;margin-bottom:.3rem}`;

function machineLine({ machine }: RunReport): string {
  return `${machine.processors} processors (${machine.model}), Linux ${machine.kernel}; ${Object.values(machine.versions).join("; ")}`;
}

function targetRows({ targets }: RunReport): string {
  const rows = targets.map(({ title, atMost, unit, value, verdict }) => {
    const suffix = unit === "ms" ? " ms" : "";
    const shown = value === undefined ? "" : `${digits(value)}${suffix}`;
    return `<tr class="${verdict}"><td>${escaped(title)}<td>${atMost}${suffix}<td>${shown}<td>${verdict}</tr>`;
  });
  return `<h2>Targets</h2><table><tr><th>target<th>at most<th>this run<th></tr>${rows.join("")}</table>`;
}

const barHeight = 18;
const rowHeight = 26;
const labelWidth = 90;
const plotWidth = 200;
const width = 370;

function chart(figure: FigureReport, report: RunReport): string {
  const rows = report.contestants.flatMap((name) => {
    const summary = figure.contestants[name];
    return summary === undefined ? [] : [{ name, summary }];
  });
  const most = Math.max(...rows.map(({ summary }) => summary.p90), Number.MIN_VALUE);
  const bars = rows.map(({ name, summary }, index) =>
    bar(name, summary, index, plotWidth / most, colourOf(name, report)),
  );
  return `<figure><figcaption>${escaped(figure.name)} (${escaped(figure.unit)})</figcaption>
<svg viewBox="0 0 ${width} ${rows.length * rowHeight}" width="100%" role="img">${bars.join("")}</svg></figure>`;
}

function bar(name: string, { median, p90 }: Summary, index: number, scale: number, colour: string): string {
  const y = index * rowHeight;
  const middle = y + barHeight / 2;
  const end = labelWidth + median * scale;
  const line = labelWidth + p90 * scale;
  return `<text x="0" y="${middle + 5}" font-size="13">${escaped(name)}</text>
<rect x="${labelWidth}" y="${y}" width="${(median * scale).toFixed(1)}" height="${barHeight}" fill="${colour}"/>
<line x1="${end.toFixed(1)}" x2="${line.toFixed(1)}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="2"/>
<text x="${Math.max(end, line) + 6}" y="${middle + 5}" font-size="13">${digits(median)}</text>`;
}

function colourOf(name: string, { contestants }: RunReport): string {
  if (name === "floor") return floorColour;
  return colours[contestants.filter((other) => other !== "floor").indexOf(name) % colours.length] ?? floorColour;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
