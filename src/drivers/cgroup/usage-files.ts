import { readFile } from "node:fs/promises";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import type { Pressure, PressureLine } from "#spec/pressure.ts";
import type {
  CgroupCpu,
  CgroupHugetlb,
  CgroupIoDevice,
  CgroupMemory,
  CgroupMemoryDetail,
  CgroupPids,
  CgroupPressure,
  CgroupSwap,
} from "./usage.ts";

/** The parts of one group, each read when asked for and undefined when it is not counted. */
export interface UsageFiles {
  cpu(detailed: boolean): Promise<CgroupCpu | undefined>;
  memory(detailed: boolean): Promise<{ memory: CgroupMemory | undefined; swap: CgroupSwap | undefined }>;
  memoryDetail(): Promise<CgroupMemoryDetail | undefined>;
  pressure(): Promise<CgroupPressure | undefined>;
  io(): Promise<CgroupIoDevice[] | undefined>;
  pids(): Promise<CgroupPids | undefined>;
  hugetlb(pageSize: string): Promise<CgroupHugetlb | undefined>;
}

// The formats of the kernel's accounting files: Documentation/admin-guide/cgroup-v2.rst "Format", cgroup-v1/*.rst, accounting/psi.rst.

/** From here on a limit of version 1 means "none": the kernel rounds the largest number down to whole pages. */
const unlimited = 2 ** 62;

/**
 * The file's content; undefined when there is no such file or group, or when the kernel counts nothing (EOPNOTSUPP: psi=0, EINVAL: a
 * file that only the root lacks).
 */
export async function readFileOf(directory: string | undefined, name: string): Promise<string | undefined> {
  if (directory === undefined) return undefined;
  try {
    return await readFile(path.join(directory, name), "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP", "EINVAL", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The value of `key` in a file of `key value` lines. */
export function field(text: string, key: string): string | undefined {
  const prefix = `${key} `;
  const at = text.startsWith(prefix) ? 0 : text.indexOf(`\n${prefix}`) + 1;
  if (at === 0 && !text.startsWith(prefix)) return undefined;
  const end = text.indexOf("\n", at);
  return text.slice(at + prefix.length, end === -1 ? undefined : end).trim();
}

export function numberField(text: string | undefined, key: string): number | undefined {
  return wholeNumber(text === undefined ? undefined : field(text, key));
}

/** A count too large for a double: nanoseconds and the like. `unitNs` is what one of it lasts. */
export function nanosecondsField(text: string | undefined, key: string, unitNs: bigint): bigint | undefined {
  const value = text === undefined ? undefined : field(text, key);
  return value === undefined || !/^\d+$/.test(value) ? undefined : BigInt(value) * unitNs;
}

export function wholeNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

export function nanoseconds(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : undefined;
}

/** A limit; undefined for `max` and for the huge numbers that mean the same. */
export function limit(value: number | undefined): number | undefined {
  return value === undefined || value >= unlimited ? undefined : value;
}

/** A `*.pressure` file. Kernels before 5.13 have no "full" line for the CPU: nothing was counted. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const none: PressureLine = { totalUs: 0, avg10: 0, avg60: 0, avg300: 0 };
  const some = pressureLine(text, "some");
  return some && { some, full: pressureLine(text, "full") ?? none };
}

function pressureLine(text: string, kind: string): PressureLine | undefined {
  const line = field(text, kind);
  if (line === undefined) return undefined;
  const values = new Map(line.split(" ").map((pair) => pair.split("=") as [string, string]));
  const value = (key: string): number => Number(values.get(key) ?? 0);
  return { totalUs: value("total"), avg10: value("avg10"), avg60: value("avg60"), avg300: value("avg300") };
}

/**
 * `io.stat` of version 2: a device, then `key=value` pairs. Some kernels print devices without any on the line of the next, so the
 * file is read word by word.
 */
export function parseIoStat(text: string): CgroupIoDevice[] {
  const devices: CgroupIoDevice[] = [];
  let current: CgroupIoDevice | undefined;
  for (const word of text.split(/\s+/)) {
    const device = /^(\d+):(\d+)$/.exec(word);
    if (device !== null) {
      current = unusedDevice(Number(device[1]), Number(device[2]));
      continue;
    }
    const [key, value] = word.split("=");
    const counter = key === undefined ? undefined : ioStatCounters.get(key);
    if (current === undefined || counter === undefined) continue;
    if (!devices.includes(current)) devices.push(current);
    current[counter] = Number(value);
  }
  return devices;
}

type IoCounter = "readBytes" | "writtenBytes" | "reads" | "writes";

const ioStatCounters: ReadonlyMap<string, IoCounter> = new Map<string, IoCounter>([
  ["rbytes", "readBytes"],
  ["wbytes", "writtenBytes"],
  ["rios", "reads"],
  ["wios", "writes"],
]);

/** `blkio.throttle.io_service_bytes` and `io_serviced` of version 1: `major:minor operation count`. */
export function parseBlkio(bytes: string, operations: string): CgroupIoDevice[] {
  const devices = new Map<string, CgroupIoDevice>();
  const add = (text: string, counters: Readonly<Record<string, IoCounter>>): void => {
    for (const [, major, minor, operation, count] of text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)) {
      const counter = counters[operation ?? ""];
      if (counter === undefined) continue;
      const key = `${major}:${minor}`;
      const device = devices.get(key) ?? unusedDevice(Number(major), Number(minor));
      device[counter] = Number(count);
      devices.set(key, device);
    }
  };
  add(bytes, { Read: "readBytes", Write: "writtenBytes" });
  add(operations, { Read: "reads", Write: "writes" });
  return [...devices.values()];
}

function unusedDevice(major: number, minor: number): CgroupIoDevice {
  return { major, minor, readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
}
