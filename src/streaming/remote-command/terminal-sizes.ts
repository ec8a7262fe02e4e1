import type { Readable } from "node:stream";
import type { TerminalSize } from "../backend.ts";

/** The text of one size is some 30 bytes; a client that sends more without an object in it is not sending sizes. */
const maxPendingText = 4096;

/**
 * The sizes that a client reports, latest only: a reader that is slow sees the newest size next, never a backlog. One
 * reader; the iteration ends with `close`.
 */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;

  push(size: TerminalSize): void {
    this.#latest = size;
    this.#wake?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize, void, undefined> {
    for (;;) {
      const size = this.#latest;
      this.#latest = undefined;
      if (size !== undefined) yield size;
      else if (this.#isClosed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Feeds `sizes` with the JSON objects, `{"Width":80,"Height":24}` one after the other, that `stream` carries. */
export function readTerminalSizes(stream: Readable, sizes: TerminalSizes): void {
  let text = "";
  stream.setEncoding("latin1");
  stream.on("data", (chunk: string) => {
    text += chunk;
    const objects = text.split("}");
    text = objects.pop() ?? "";
    if (text.length > maxPendingText) text = "";
    for (const object of objects) {
      const size = parseSize(`${object}}`);
      if (size !== undefined) sizes.push(size);
    }
  });
  stream.on("close", () => sizes.close());
  stream.on("end", () => sizes.close());
}

function parseSize(json: string): TerminalSize | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null) return undefined;
    // Go's decoder takes the names in any case, so clients in other languages send either.
    const fields = new Map(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]));
    const [width, height] = [fields.get("width"), fields.get("height")];
    return isCells(width) && isCells(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}

function isCells(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
