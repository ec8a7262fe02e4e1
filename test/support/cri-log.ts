import { readFileSync } from "node:fs";

export interface LogLine {
  time: string;
  stream: "stdout" | "stderr";
  /** True when the line goes on in the next record. */
  partial: boolean;
  text: string;
}

/** RFC 3339 with nanoseconds and a numeric offset or Z, the stream, F or P, and the text. */
const record = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) (.*)$/s;

/** The records of a container's log file; fails on a line that is not in the CRI's format. */
export function parseLog(file: string): LogLine[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, time = "", stream, tag, text = ""] = record.exec(line) ?? [];
      if (stream !== "stdout" && stream !== "stderr") throw new Error(`${file} has a line of another format: ${line}`);
      return { time, stream, partial: tag === "P", text };
    });
}
