import { CriCallError, type CriClient } from "#cri/client.ts";
import { LayerState, Progress, type WatchPullResponse } from "#cri/gen/berth/v1/progress_pb.ts";
import { bytes, elapsed, shortId } from "./readable.ts";
import type { Screen } from "./subcommand.ts";

const redrawMs = 100;
const spinner = ["|", "/", "-", "\\"];

/**
 * Runs `pull` and shows how far it is: a bar per layer on a terminal, a line per finished layer elsewhere. A daemon that
 * cannot tell is shown by the time that has passed. Resolves or rejects as `pull` does.
 */
export async function showPull<T>(
  client: CriClient,
  image: string,
  screen: Screen,
  pull: () => Promise<T>,
): Promise<T> {
  const display = new PullDisplay(screen, image);
  const stopWatching = new AbortController();
  const watching = watch(client, image, display, stopWatching.signal);
  try {
    return await pull();
  } finally {
    stopWatching.abort();
    await watching;
    display.end();
  }
}

async function watch(client: CriClient, image: string, display: PullDisplay, signal: AbortSignal): Promise<void> {
  try {
    for await (const layer of client.stream(Progress.method.watchPull, { image }, { signal, timeoutMs: 0 })) {
      display.update(layer);
    }
  } catch (error) {
    // The pull itself tells what is wrong; progress is a courtesy.
    if (!(error instanceof CriCallError)) throw error;
  }
}

/** Draws and redraws the layers of one pull. */
class PullDisplay {
  readonly #screen: Screen;
  readonly #image: string;
  readonly #startedMs = performance.now();
  readonly #layers = new Map<string, WatchPullResponse>();
  readonly #timer: NodeJS.Timeout | undefined;
  #drawnLines = 0;
  #ticks = 0;

  constructor(screen: Screen, image: string) {
    this.#screen = screen;
    this.#image = image;
    if (screen.isTTY === true) this.#timer = setInterval(() => this.#draw(), redrawMs);
  }

  update(layer: WatchPullResponse): void {
    const before = this.#layers.get(layer.layer)?.state;
    this.#layers.set(layer.layer, layer);
    const finished = layer.state === LayerState.DONE || layer.state === LayerState.EXISTS;
    if (this.#timer === undefined && finished && before !== layer.state)
      this.#screen.write(`${layerLine(layer, 60)}\n`);
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#draw();
  }

  #draw(): void {
    this.#ticks += 1;
    // A terminal that does not tell its size says 0.
    const width = this.#screen.columns || 80;
    const turn = spinner[this.#ticks % spinner.length] ?? "";
    const heading = `${turn} ${this.#image} ${elapsed(performance.now() - this.#startedMs)}`.slice(0, width);
    const lines = [heading, ...[...this.#layers.values()].map((layer) => layerLine(layer, width))];
    const up = this.#drawnLines === 0 ? "" : `\u001B[${this.#drawnLines}A`;
    this.#screen.write(up + lines.map((line) => `\r\u001B[2K${line}\n`).join(""));
    this.#drawnLines = lines.length;
  }
}

const words: Readonly<Record<number, string>> = {
  [LayerState.WAITING]: "waiting",
  [LayerState.FETCHING]: "fetching",
  [LayerState.COMMITTING]: "saving",
  [LayerState.DONE]: "done",
  [LayerState.EXISTS]: "exists",
  [LayerState.FAILED]: "failed",
};

/** One layer as `1a2b3c4d5e6f7 [=====>     ] 1.2MB/4.1MB fetching`, at most `width` wide. */
export function layerLine(
  { layer, doneBytes, totalBytes, state }: Omit<WatchPullResponse, "$typeName">,
  width: number,
): string {
  const isWhole = state === LayerState.DONE || state === LayerState.EXISTS || state === LayerState.COMMITTING;
  const share = isWhole ? 1 : totalBytes === 0n ? 0 : Math.min(1, Number(doneBytes) / Number(totalBytes));
  const counts = isWhole ? bytes(totalBytes) : `${bytes(doneBytes)}/${bytes(totalBytes)}`;
  const right = `${counts} ${words[state] ?? ""}`;
  const barWidth = Math.max(4, Math.min(40, width - 13 - right.length - 5));
  const filled = Math.round(share * barWidth);
  const bar = "=".repeat(filled).padEnd(barWidth);
  const tip = share > 0 && share < 1 && filled > 0 ? `${bar.slice(0, filled - 1)}>${bar.slice(filled)}` : bar;
  return `${shortId(layer)} [${tip}] ${right}`.slice(0, width);
}
