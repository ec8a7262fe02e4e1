import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import { temporarySuffix } from "#kernel/atomic-file.ts";
import { newId } from "#lib/ids.ts";
import { latestLines } from "./record-line.ts";

/** More replacements than come while a directory is read. */
const mostAttempts = 10;

/** The generations of a log, the oldest first, and the last record of each id that is in them. */
export interface LogsOnDisk {
  logs: { number: number; file: string }[];
  latest: Map<string, Buffer>;
}

export function logFile(directory: string, number: number): string {
  return path.join(directory, `records-${number}.log`);
}

/** Where a log is written until it is whole; another name each time. */
export function draftOf(file: string): string {
  return `${file}.${newId().slice(0, 8)}${temporarySuffix}`;
}

export function isDraft(name: string): boolean {
  return name.startsWith("records-") && name.endsWith(temporarySuffix);
}

/** Which generation a file is by its name; undefined for what is no log. */
export function generationOf(name: string): number | undefined {
  const number = /^records-(\d+)\.log$/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Reads a directory of logs, also while a daemon writes there. One that is missing has no records. */
export async function readLogs(directory: string): Promise<LogsOnDisk> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const names = await readdir(directory);
      const numbers = names.flatMap((name) => generationOf(name) ?? []);
      const logs = numbers.toSorted((a, b) => a - b).map((number) => ({ number, file: logFile(directory, number) }));
      const latest = new Map<string, Buffer>();
      for (const { file } of logs) latestLines(await readFile(file), path.basename(file), latest);
      return { logs, latest };
    } catch (error) {
      if (!hasErrno(error, "ENOENT") || attempt === mostAttempts) throw error;
      if (pathOf(error) === directory) return { logs: [], latest: new Map() };
      // A log was replaced after the directory was read, by one that is there by now.
    }
  }
}

function pathOf(error: unknown): unknown {
  return error instanceof Error && "path" in error ? error.path : undefined;
}
