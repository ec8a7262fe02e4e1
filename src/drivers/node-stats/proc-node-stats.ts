import { readdir, readFile, readlink, statfs } from "node:fs/promises";
import { hasErrno } from "#errors/domain-error.ts";
import type { NodeStats } from "./index.ts";

/** Reads /proc. `procDirectory` is for tests. */
export function procNodeStats(procDirectory = "/proc"): NodeStats {
  return {
    async processUsage(pids) {
      const first = pids[0];
      const [descriptors, softOpenFilesLimit] = await Promise.all([
        openDescriptors(procDirectory, pids),
        first === undefined ? undefined : readSoftOpenFiles(`${procDirectory}/${first}/limits`),
      ]);
      return { processes: pids.length, ...descriptors, softOpenFilesLimit };
    },

    async filesystemCapacity(directory) {
      const stats = await unlessGone(statfs(directory));
      return stats && { totalBytes: stats.blocks * stats.bsize, inodesTotal: stats.files, inodesFree: stats.ffree };
    },
  };
}

/** How many descriptors are looked at in one go. */
const batchSize = 32;

/** Few at a time: those of a container with very many would keep all else that needs the thread pool waiting. */
async function openDescriptors(
  procDirectory: string,
  pids: readonly number[],
): Promise<{ fileDescriptors: number; sockets: number }> {
  let fileDescriptors = 0;
  let sockets = 0;
  for (const pid of pids) {
    const directory = `${procDirectory}/${pid}/fd`;
    const names = (await unlessGone(readdir(directory))) ?? [];
    fileDescriptors += names.length;
    for (let start = 0; start < names.length; start += batchSize) {
      const batch = names.slice(start, start + batchSize);
      const targets = await Promise.all(batch.map((name) => unlessGone(readlink(`${directory}/${name}`))));
      sockets += targets.filter((target) => target?.startsWith("socket:")).length;
    }
  }
  return { fileDescriptors, sockets };
}

async function readSoftOpenFiles(file: string): Promise<number | undefined> {
  const text = (await unlessGone(readFile(file, "utf8"))) ?? "";
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR")) return undefined;
    throw error;
  }
}
