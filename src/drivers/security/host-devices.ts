import type { Stats } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import type { HostDevice } from "./index.ts";

/** Below /dev, but of the process that looks and not of the machine: the container has its own. */
const skippedNames = new Set(["pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc", ".lxd-mounts"]);

/** All device nodes below `directory`, in the order of their paths. Nodes that go away meanwhile are left out. */
export async function listHostDevices(directory: string): Promise<HostDevice[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries
      .filter((entry) => !skippedNames.has(entry.name))
      .map(async (entry) => {
        const full = path.join(directory, entry.name);
        if (entry.isDirectory()) return listHostDevices(full);
        if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
        const stats = await lstat(full).catch(() => undefined);
        return stats === undefined ? [] : [deviceOf(full, stats) ?? []].flat();
      }),
  );
  return found.flat().sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * The node at `hostPath`, or those below it.
 * @throws DomainError not-found, invalid-argument
 */
export async function findDevices(hostPath: string): Promise<HostDevice[]> {
  const stats = await statDevice(hostPath);
  if (stats.isDirectory()) return listHostDevices(hostPath);
  const device = deviceOf(hostPath, stats);
  if (device === undefined)
    throw new DomainError("invalid-argument", `${hostPath} is neither a device node nor a directory`);
  return [device];
}

async function statDevice(hostPath: string): Promise<Stats> {
  try {
    return await stat(hostPath);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR"))
      throw new DomainError("not-found", `the device ${hostPath} does not exist on this node`, { cause: error });
    if (hasErrno(error, "ELOOP"))
      throw new DomainError("invalid-argument", `the device ${hostPath} is a circle of symlinks`, { cause: error });
    throw error;
  }
}

function deviceOf(devicePath: string, stats: Stats): HostDevice | undefined {
  const type = stats.isCharacterDevice() ? "c" : stats.isBlockDevice() ? "b" : stats.isFIFO() ? "p" : undefined;
  if (type === undefined) return undefined;
  const { major, minor } = deviceNumbers(stats.rdev);
  return { path: devicePath, type, major, minor, fileMode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid };
}

/** makedev(3) backwards; the kernel's device numbers have 12 and 20 bits. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
