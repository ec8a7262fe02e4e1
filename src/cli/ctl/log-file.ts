import { watch } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { once } from "node:events";
import path from "node:path";

/** One record of a log in the CRI's format. */
export interface LogRecord {
  /** RFC 3339 with nanoseconds. */
  time: string;
  stream: "stdout" | "stderr";
  /** The text with its newline, or without one when the line goes on in the next record. */
  text: string;
}

/** Reads `time stream F|P text`; undefined for a line of another format. */
export function parseRecord(line: string): LogRecord | undefined {
  const [time = "", stream, tag = ""] = line.split(" ", 3);
  if ((stream !== "stdout" && stream !== "stderr") || !/^[FP](:|$)/.test(tag)) return undefined;
  const text = line.slice(time.length + stream.length + tag.length + 3);
  return { time, stream, text: tag.startsWith("F") ? `${text}\n` : text };
}

/** The last `count` lines of the log as records; a line in several records counts once. */
export async function lastRecords(file: string, count: number): Promise<LogRecord[]> {
  return await lastOf(readRecords(file), count);
}

async function lastOf(records: AsyncIterable<LogRecord>, count: number): Promise<LogRecord[]> {
  const lines: LogRecord[][] = [];
  let current: LogRecord[] = [];
  for await (const record of records) {
    current.push(record);
    if (!record.text.endsWith("\n")) continue;
    lines.push(current);
    current = [];
    if (lines.length > count) lines.shift();
  }
  return count === 0 ? [] : [...lines, current].flat();
}

/** All records that the log has now. */
export async function* readRecords(file: string): AsyncGenerator<LogRecord> {
  await using handle = await open(file);
  yield* recordsOf(linesFrom(new Tail(handle)));
}

/**
 * All records, then each new one as it is written, over rotations, until `ended` resolves and the rest is read. A file
 * that is not there yet is waited for. Of what is there at first, `tail` gives that many last lines only.
 */
export async function* followRecords(
  file: string,
  ended: Promise<unknown>,
  options: { tail?: number } = {},
): AsyncGenerator<LogRecord> {
  const closing = new AbortController();
  let over = false;
  const end = ended.then(() => {
    over = true;
  });
  end.catch(() => {});
  const watcher = watch(path.dirname(file), { signal: closing.signal });
  watcher.on("error", () => {});
  let tail: Tail | undefined;
  let skipTo = options.tail;
  try {
    for (;;) {
      const isLastLook = over;
      const changed = once(watcher, "change", { signal: closing.signal });
      changed.catch(() => {});
      tail ??= await openTail(file);
      if (tail !== undefined) {
        const records = recordsOf(linesFrom(tail));
        yield* skipTo === undefined ? records : await lastOf(records, skipTo);
        skipTo = undefined;
        if (await rotated(file, tail)) {
          await tail.handle.close();
          tail = await openTail(file);
          continue;
        }
      }
      if (isLastLook) return;
      if (!over) await Promise.race([changed, end]);
    }
  } finally {
    closing.abort();
    await tail?.handle.close();
  }
}

/** A file read from front to back, with the bytes of an unfinished line kept for later. */
class Tail {
  readonly handle: FileHandle;
  position = 0;
  unfinished = Buffer.alloc(0);
  constructor(handle: FileHandle) {
    this.handle = handle;
  }
}

async function openTail(file: string): Promise<Tail | undefined> {
  const handle = await open(file).catch(() => undefined);
  return handle === undefined ? undefined : new Tail(handle);
}

/** True when another file has taken the log's name. */
async function rotated(file: string, tail: Tail): Promise<boolean> {
  const now = await stat(file).catch(() => undefined);
  return now !== undefined && now.ino !== (await tail.handle.stat()).ino;
}

const chunkBytes = 64 * 1024;

async function* linesFrom(tail: Tail): AsyncGenerator<string> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    const { bytesRead } = await tail.handle.read(chunk, 0, chunkBytes, tail.position);
    if (bytesRead === 0) return;
    tail.position += bytesRead;
    let rest = Buffer.concat([tail.unfinished, chunk.subarray(0, bytesRead)]);
    for (let newline = rest.indexOf(10); newline !== -1; newline = rest.indexOf(10)) {
      yield rest.toString("utf8", 0, newline);
      rest = rest.subarray(newline + 1);
    }
    tail.unfinished = rest;
  }
}

async function* recordsOf(lines: AsyncIterable<string>): AsyncGenerator<LogRecord> {
  for await (const line of lines) {
    const record = parseRecord(line);
    if (record !== undefined) yield record;
  }
}
