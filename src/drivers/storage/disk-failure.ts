import { statfs } from "node:fs/promises";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";

/** Runs `work` on files below `directory`; its errno failures become DomainErrors that say what was being done. */
export async function onDisk<T>(doing: string, directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const full = hasErrno(error, "ENOSPC", "EDQUOT");
    const kind = full ? "resource-exhausted" : hasErrno(error, "EROFS") ? "failed-precondition" : "internal";
    const space = full ? await freeSpace(directory) : "";
    throw new DomainError(kind, `${doing}: ${messageOf(error)}${space}`, { cause: error });
  }
}

async function freeSpace(directory: string): Promise<string> {
  try {
    const { bavail, bsize, ffree } = await statfs(directory);
    return `; ${bavail * bsize} bytes and ${ffree} inodes are free in ${directory}`;
  } catch {
    return "";
  }
}
