import type { DescEnum } from "@bufbuild/protobuf";

const shortIdLength = 13;
const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** An id cut to what a person compares; a digest loses its algorithm. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, shortIdLength);
}

/** How long ago a CRI timestamp is: `12s ago`, `3m ago`, `5h ago`, `9d ago`; `-` for one that is not set. */
export function age(timestampNs: bigint, nowMs = Date.now()): string {
  if (timestampNs <= 0n) return "-";
  const seconds = Math.max(0, Math.floor((nowMs - Number(timestampNs / 1_000_000n)) / 1000));
  if (seconds < minute) return `${seconds}s ago`;
  if (seconds < hour) return `${Math.floor(seconds / minute)}m ago`;
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h ago`;
  return `${Math.floor(seconds / day)}d ago`;
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units with three digits: `512B`, `1.98MB`, `24.5GB`. */
export function bytes(count: number | bigint): string {
  let value = Number(count);
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 ? String(value) : String(Number(value.toPrecision(3)));
  return `${digits}${units[unit] ?? ""}`;
}

/** The name of an enum's value without the prefix that all its values share: `CONTAINER_RUNNING` becomes `Running`. */
export function enumWord(schema: DescEnum, value: number, prefix: string): string {
  const name = schema.value[value]?.name ?? String(value);
  const word = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return word.charAt(0) + word.slice(1).toLowerCase();
}

/** Milliseconds as a person reads them: `87ms`, `2.4s`, `3m12s`. */
export function elapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  return `${Math.floor(ms / 60_000)}m${Math.floor((ms % 60_000) / 1000)}s`;
}
