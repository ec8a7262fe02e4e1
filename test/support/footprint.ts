import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { generationOf } from "#drivers/records/read-logs.ts";
import { latestLines } from "#drivers/records/record-line.ts";

/** Where to look for what one private daemon has made. */
export interface Territory {
  /** Every path of the daemon is below it. */
  folder: string;
  root: string;
  runroot: string;
  /** Folder where host-local keeps its leases. */
  cniDataFolder: string;
  bridge: string;
  /** Cgroup path that all pods are put under, e.g. `/berth-test-1a2b`. */
  cgroupParent: string;
}

/** What of the machine a daemon holds besides its own process, each thing as one readable line. */
export interface Footprint {
  mounts: string[];
  links: string[];
  cgroups: string[];
  processes: string[];
  leases: string[];
  /** Paths below the state and storage folders, the content of layers left out; of a log of records, those that it has. */
  paths: string[];
}

/** What the daemon's own command line has, and no child's. */
const daemonWords = "/src/main.ts serve";
const cgroupRoot = "/sys/fs/cgroup";
/** Deep enough for a record, a bundle or a layer's folder; what lies below belongs to images. */
const storageDepth = 3;

export function footprintOf(territory: Territory): Footprint {
  return {
    // What a test has put below the daemon's runroot is not the daemon's.
    mounts: mountsBelow(territory.folder).filter((place) => place !== territory.runroot),
    links: linksOf(territory.bridge),
    cgroups: cgroupsBelow(territory.cgroupParent),
    processes: processesOf(territory)
      .filter(({ commandLine }) => !commandLine.includes(daemonWords))
      .map(({ pid, commandLine }) => `${pid} ${commandLine}`),
    leases: leasesIn(territory.cniDataFolder),
    paths: [...pathsBelow(territory.runroot, Infinity), ...pathsBelow(territory.root, storageDepth)].sort(),
  };
}

/** Lines for everything in `after` that was not in `before`; empty when nothing was left behind. */
export function leftBehind(before: Footprint, after: Footprint): string[] {
  return (Object.keys(after) as (keyof Footprint)[]).flatMap((kind) => {
    const known = new Set(before[kind]);
    return after[kind].filter((line) => !known.has(line)).map((line) => `${kind}: ${line}`);
  });
}

/** Mount points at or below `folder`, in the order they were mounted. */
export function mountsBelow(folder: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => unescapeOctal(line.split(" ")[4] ?? ""))
    .filter((place) => place === folder || place.startsWith(`${folder}/`));
}

/** The kernel writes blanks and backslashes in mountinfo as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}

function linksOf(bridge: string): string[] {
  return listOrEmpty(`/sys/class/net/${bridge}/brif`).sort();
}

/** Cgroup folders strictly below the parent, in every hierarchy. */
export function cgroupsBelow(parent: string): string[] {
  return cgroupHierarchies().flatMap((hierarchy) => foldersBelow(path.join(hierarchy, parent)));
}

/** The mount points of all cgroup hierarchies: one for version 2, several for version 1 and hybrids. */
export function cgroupHierarchies(): string[] {
  const unified = listOrEmpty(cgroupRoot).includes("cgroup.controllers");
  return unified ? [cgroupRoot] : listOrEmpty(cgroupRoot).map((name) => path.join(cgroupRoot, name));
}

export interface ProcessLine {
  pid: number;
  commandLine: string;
}

/** Processes that name the folder in their arguments or run in one of the pods' cgroups. */
export function processesOf({ folder, cgroupParent }: Territory): ProcessLine[] {
  return listOrEmpty("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({
      pid: Number(name),
      commandLine: readOrEmpty(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim(),
      cgroups: readOrEmpty(`/proc/${name}/cgroup`),
    }))
    .filter(({ commandLine, cgroups }) => commandLine.includes(folder) || cgroups.includes(`${cgroupParent}/`))
    .map(({ pid, commandLine }) => ({ pid, commandLine }));
}

/** Addresses that host-local has given out and not taken back. */
function leasesIn(folder: string): string[] {
  return listOrEmpty(folder).flatMap((network) =>
    listOrEmpty(path.join(folder, network))
      .filter((name) => /^[0-9a-f:.]+$/.test(name))
      .map((address) => `${network} ${address}`),
  );
}

function pathsBelow(folder: string, depth: number): string[] {
  if (depth === 0) return [];
  const entries = entriesOf(folder);
  const isLog = ({ name }: { name: string }): boolean => generationOf(name) !== undefined;
  const ids = recordsIn(folder, entries.filter(isLog));
  const others = entries
    .filter((entry) => !isLog(entry))
    .flatMap((entry) => {
      const place = path.join(folder, entry.name);
      return [place, ...(entry.isDirectory() ? pathsBelow(place, depth - 1) : [])];
    });
  return [...ids.map((id) => path.join(folder, id)), ...others];
}

/** The ids that a log has, all its generations taken together: an earlier one stays until the later one has reached the disk. */
function recordsIn(folder: string, logs: readonly { name: string }[]): string[] {
  const latest = new Map<string, Buffer>();
  const names = logs.map(({ name }) => name);
  for (const name of names.sort((a, b) => (generationOf(a) ?? 0) - (generationOf(b) ?? 0)))
    latestLines(Buffer.from(readOrEmpty(path.join(folder, name))), name, latest);
  return [...latest.keys()];
}

function foldersBelow(folder: string): string[] {
  return entriesOf(folder)
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [path.join(folder, entry.name), ...foldersBelow(path.join(folder, entry.name))]);
}

/** Descriptors that a process has open, by what they point at, numbers in brackets left out. */
export function openFilesOf(pid: number): string[] {
  return listOrEmpty(`/proc/${pid}/fd`)
    .map((fd) => linkOrEmpty(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, ""))
    .filter(Boolean)
    .sort();
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function listOrEmpty(folder: string): string[] {
  return entriesOf(folder).map((entry) => entry.name);
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function linkOrEmpty(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}
