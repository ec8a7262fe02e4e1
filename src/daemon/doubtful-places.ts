import { realpath, statfs } from "node:fs/promises";
import path from "node:path";
import type { Config } from "#config/index.ts";
import { fileExists } from "#lib/file-exists.ts";

/** A directory of the configuration that works, but is not what an operator would want. */
export interface DoubtfulPlace {
  /** Says which option it is, what is wrong, what comes of it, and what to do. */
  message: string;
  option: string;
  path: string;
}

/** Directories that CRI-O and Podman have by default; a configuration written for CRI-O may name them. */
const foreignStores = ["/var/lib/containers/storage", "/run/containers/storage"];

/** What containers/storage, the library of CRI-O and Podman, makes at the top of a store. */
const foreignFiles = ["storage.lock", "overlay-images", "overlay-layers", "overlay-containers"];

const inMemory: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */]);

/** Looks at the directories that `root`, `imagestore` and `runroot` name, or at those above them that exist. Nothing is changed. */
export async function doubtfulPlaces({ crio }: Config): Promise<DoubtfulPlace[]> {
  const stores = [
    { option: "crio.root", place: crio.root },
    { option: "crio.imagestore", place: crio.imagestore },
    { option: "crio.runroot", place: crio.runroot },
  ].filter(({ place }) => place !== "");
  const found: DoubtfulPlace[] = [];
  for (const { option, place } of stores) {
    if (await isForeignStore(place)) found.push({ message: foreignStore(option, place), option, path: place });
  }
  const { runroot } = crio;
  if (!(await isInMemory(runroot))) found.push({ message: onDisk(runroot), option: "crio.runroot", path: runroot });
  return found;
}

function foreignStore(option: string, place: string): string {
  return (
    `${option} is ${place}, the store of CRI-O and Podman: berth does not read what is there, keeps its files beside theirs, and loses them ` +
    `when that store is wiped (crio wipe, podman system reset). Take ${option} out of the configuration, or name a directory of berth's own, ` +
    `while no pods run`
  );
}

function onDisk(runroot: string): string {
  return (
    `crio.runroot is ${runroot}, which is not on a tmpfs: what ends with the machine stays there after a reboot, and pods wait for the disk. ` +
    `Name a directory below /run`
  );
}

async function isForeignStore(place: string): Promise<boolean> {
  const { existing, resolved } = await resolve(place);
  const isBelow = (store: string): boolean => `${resolved}/`.startsWith(`${store}/`);
  if (foreignStores.some(isBelow)) return true;
  if (existing !== resolved) return false;
  const there = await Promise.all(foreignFiles.map((name) => fileExists(path.join(resolved, name))));
  return there.some(Boolean);
}

async function isInMemory(place: string): Promise<boolean> {
  const { existing } = await resolve(place);
  return inMemory.has((await statfs(existing)).type);
}

/** The path without symbolic links, and as much of it as exists. */
async function resolve(place: string): Promise<{ existing: string; resolved: string }> {
  const missing: string[] = [];
  for (let above = path.resolve(place); ; above = path.dirname(above)) {
    try {
      const existing = await realpath(above);
      return { existing, resolved: path.join(existing, ...missing) };
    } catch (error) {
      // What cannot be looked at is no reason not to start: who uses it will say.
      if (above === "/") throw error;
      missing.unshift(path.basename(above));
    }
  }
}
