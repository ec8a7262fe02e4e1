import { closeSync, existsSync, openSync, write } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { hasErrno } from "#errors/domain-error.ts";

const writeTo: (fd: number, text: string) => Promise<unknown> = promisify(write);

/** Asked on the calling thread: the kernel answers from memory. */
export function isMissing(directory: string): boolean {
  return !existsSync(directory);
}

/** Moves a process into the group, waiting for the kernel's lock on moves and nothing else off the calling thread. */
export async function moveInto(directory: string, pid: number): Promise<void> {
  const fd = openSync(path.join(directory, "cgroup.procs"), "w");
  try {
    await writeTo(fd, String(pid));
  } finally {
    closeSync(fd);
  }
}

export async function hasGroupsBelow(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory, { withFileTypes: true })).some((entry) => entry.isDirectory());
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** The text of a group's file; empty when the group is gone. */
export async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return "";
    throw error;
  }
}

/** Makes the groups of a path below `mountPoint`, on version 2 with all controllers handed down to the last of them. */
export async function makeGroups(mountPoint: string, group: string, version: 1 | 2): Promise<void> {
  if (version === 1) {
    await mkdir(path.join(mountPoint, group), { recursive: true });
    return;
  }
  let directory = mountPoint;
  for (const name of group.split("/").filter(Boolean)) {
    await handDownControllers(directory);
    directory = path.join(directory, name);
    await mkdir(directory, { recursive: true });
  }
}

/** One by one, since the kernel refuses all when it refuses one; what it refuses is missing below. */
async function handDownControllers(directory: string): Promise<void> {
  const available = (await readOrEmpty(path.join(directory, "cgroup.controllers"))).split(/\s+/).filter(Boolean);
  const handedDown = new Set((await readOrEmpty(path.join(directory, "cgroup.subtree_control"))).split(/\s+/));
  for (const controller of available.filter((name) => !handedDown.has(name))) {
    await writeFile(path.join(directory, "cgroup.subtree_control"), `+${controller}`).catch(() => {});
  }
}

/** On version 1 the processes are killed one by one: what they start meanwhile may live on. */
export async function killGroup(directory: string, version: 1 | 2): Promise<void> {
  if (version === 2) {
    await writeFile(path.join(directory, "cgroup.kill"), "1").catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
    });
    return;
  }
  for (const pid of (await readOrEmpty(path.join(directory, "cgroup.procs"))).split("\n").filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
}

export async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}

/**
 * Removes a group as soon as its last process is gone, which is about to end. cgroups tell of that in no way that works for both
 * versions, so it is tried again, at longer and longer intervals, two seconds in all; a group that is still busy then stays.
 */
export async function removeOnceEmpty(directory: string): Promise<void> {
  const mostMs = 1000;
  for (let waitMs = 2; waitMs <= mostMs; waitMs *= 2) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return;
      if (!hasErrno(error, "EBUSY", "ENOTEMPTY")) throw error;
    }
    await pause(waitMs);
  }
}

/** Groups can only be removed from the leaves up, and not while they have processes: those stay, as do those in `kept`. */
export async function removeEmptyTree(directory: string, kept: ReadonlySet<string>): Promise<void> {
  if (kept.has(directory)) return;
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeEmptyTree(path.join(directory, entry.name), kept);
    await rmdir(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}
