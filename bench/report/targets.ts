import type { FigureReport } from "../measure/recorder.ts";

/** What berth is asked to reach, as a ratio of two figures of one run. */
export interface Target {
  title: string;
  atMost: number;
  /** What `atMost` is compared with: a ratio, or milliseconds for the one target that is absolute. */
  unit: "times" | "ms";
  /** `undefined` when the run did not measure it. */
  value: (figures: readonly FigureReport[]) => number | undefined;
}

export interface TargetVerdict {
  title: string;
  atMost: number;
  unit: Target["unit"];
  value: number | undefined;
  verdict: "met" | "missed" | "not measured";
}

const measured = "berth";
const floor = "floor";

type NameTest = (name: string) => boolean;

const targets: Target[] = [
  againstPeers("pod start, one at a time / better peer", 0.45, "pod-start", is("pod start")),
  againstFloor("pod start, one at a time / floor", 1.35, "pod-start", is("pod start")),
  againstPeers("pod start, 8 at a time, wall time / better peer", 0.6, "pod-start-parallel", (name) =>
    /^\d+ pods, /.test(name),
  ),
  {
    title: "pod start beside the most others / the first",
    atMost: 1.1,
    unit: "times",
    value: (figures) =>
      ratio(besideMost(figures), medianOf(find(figures, "pod-start-beside", is("pod start beside 0")), measured)),
  },
  againstPeers("pod end / better peer", 0.6, "pod-end", is("pod end")),
  againstPeers("ExecSync, one at a time / better peer", 0.8, "exec", is("ExecSync of true, one at a time")),
  againstPeers("ExecSync, 16 at a time / better peer", 0.8, "exec", (name) => name.includes("wall time per ExecSync")),
  ...[
    "one layer, gzip",
    "eight layers, gzip",
    "one layer, zstd",
    "eight layers, zstd",
    "ten pulls of one image at once",
    "seven of eight layers present",
  ].map((kind) => againstPeers(`pull, ${kind} / better peer`, 0.8, "pull", is(kind))),
  againstPeers("ListContainers, daemon's processor time / better peer", 0.5, "lists", (name) =>
    /^ListContainers of \d+: daemon/.test(name),
  ),
  againstPeers("memory, everything counted, with some pods / better peer", 1, "memory", (name) =>
    /^all, with (?!0 )\d+ pods$/.test(name),
  ),
  {
    title: "longest event-loop delay during a pull and 8 pod starts",
    atMost: 20,
    unit: "ms",
    value: (figures) => find(figures, "stalls", is("longest event-loop delay"))?.contestants[measured]?.most,
  },
];

/** Says of each target whether the run reached it. */
export function judge(figures: readonly FigureReport[]): TargetVerdict[] {
  return targets.map(({ title, atMost, unit, value }) => {
    const found = value(figures);
    const verdict = found === undefined ? "not measured" : found <= atMost ? "met" : "missed";
    return { title, atMost, unit, value: found, verdict };
  });
}

/** The lowest median of all but berth and the floor. */
export function betterPeer(figure: FigureReport): number | undefined {
  const peers = Object.entries(figure.contestants).filter(([name]) => name !== measured && name !== floor);
  const medians = peers.map(([, { median }]) => median);
  if (medians.length === 0) return undefined;
  return figure.unit === "per second" ? Math.max(...medians) : Math.min(...medians);
}

function againstPeers(title: string, atMost: number, scenario: string, test: NameTest): Target {
  const value = (figures: readonly FigureReport[]): number | undefined => {
    const figure = find(figures, scenario, test);
    return figure === undefined ? undefined : ratio(medianOf(figure, measured), betterPeer(figure));
  };
  return { title, atMost, unit: "times", value };
}

function againstFloor(title: string, atMost: number, scenario: string, test: NameTest): Target {
  const value = (figures: readonly FigureReport[]): number | undefined => {
    const figure = find(figures, scenario, test);
    return ratio(medianOf(figure, measured), medianOf(figure, floor));
  };
  return { title, atMost, unit: "times", value };
}

/** The median at the highest fill that was measured. */
function besideMost(figures: readonly FigureReport[]): number | undefined {
  const levels = figures
    .filter(({ scenario, name }) => scenario === "pod-start-beside" && /^pod start beside [1-9]/.test(name))
    .map((figure) => ({ figure, level: Number(figure.name.split(" ").at(-1)) }))
    .sort((a, b) => b.level - a.level);
  return medianOf(levels[0]?.figure, measured);
}

function find(figures: readonly FigureReport[], scenario: string, test: NameTest): FigureReport | undefined {
  return figures.find((figure) => figure.scenario === scenario && test(figure.name));
}

function medianOf(figure: FigureReport | undefined, contestant: string): number | undefined {
  return figure?.contestants[contestant]?.median;
}

function ratio(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined || base === 0 ? undefined : value / base;
}

function is(wanted: string): NameTest {
  return (name) => name === wanted;
}
