import { summarize, type Summary } from "./statistics.ts";

export type Unit = "ms" | "ms CPU" | "MiB" | "%" | "per second" | "s";

/** One thing that is measured of every contestant. */
export interface Figure {
  scenario: string;
  name: string;
  unit: Unit;
  samples: Map<string, number[]>;
}

/** Figures as they are written to JSON. */
export interface FigureReport {
  scenario: string;
  name: string;
  unit: Unit;
  contestants: Record<string, Summary & { samples: number[] }>;
}

/** Collects measurements in the order in which they are first seen. */
export class Recorder {
  readonly #figures = new Map<string, Figure>();
  readonly #notes: string[] = [];

  add(scenario: string, name: string, unit: Unit, contestant: string, value: number): void {
    const key = `${scenario}/${name}`;
    let figure = this.#figures.get(key);
    if (figure === undefined) this.#figures.set(key, (figure = { scenario, name, unit, samples: new Map() }));
    const samples = figure.samples.get(contestant);
    if (samples === undefined) figure.samples.set(contestant, [value]);
    else samples.push(value);
  }

  /** Something that a reader of the figures has to know. */
  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  report(): FigureReport[] {
    return [...this.#figures.values()].map(({ scenario, name, unit, samples }) => {
      const contestants: FigureReport["contestants"] = {};
      for (const [contestant, values] of samples) {
        const summary = summarize(values);
        if (summary !== undefined) contestants[contestant] = { ...summary, samples: values };
      }
      return { scenario, name, unit, contestants };
    });
  }
}
