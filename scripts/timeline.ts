import { elapsed } from "#cli/ctl/readable.ts";

interface Phase {
  name: string;
  startedMs: number;
  tookMs: number;
}

const barWidth = 40;

/** Measures named phases one after the other, and draws when each was and how long it took. */
export class Timeline {
  readonly #startedMs = performance.now();
  readonly #phases: Phase[] = [];

  async phase<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    const startedMs = performance.now();
    try {
      return await work();
    } finally {
      this.#phases.push({ name, startedMs, tookMs: performance.now() - startedMs });
    }
  }

  draw(): string {
    const totalMs = performance.now() - this.#startedMs;
    const nameWidth = Math.max(...this.#phases.map(({ name }) => name.length));
    const lines = this.#phases.map(({ name, startedMs, tookMs }) => {
      const from = Math.round(((startedMs - this.#startedMs) / totalMs) * barWidth);
      const length = Math.max(1, Math.round((tookMs / totalMs) * barWidth));
      const bar = " ".repeat(Math.min(from, barWidth - 1)) + "#".repeat(length);
      return `  ${name.padEnd(nameWidth)}  ${elapsed(tookMs).padStart(6)}  |${bar.slice(0, barWidth).padEnd(barWidth)}|`;
    });
    return [...lines, `  ${"all".padEnd(nameWidth)}  ${elapsed(totalMs).padStart(6)}`, ""].join("\n");
  }
}
