import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { ContainerLogs } from "./index.ts";

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Log files where the kubelet wants them, readable by root and its group only. */
export const containerLogs: ContainerLogs = {
  async create(logPath) {
    try {
      const handle = (await openLog(logPath)) ?? (await openLog(logPath));
      if (handle === undefined) throw new Error("somebody removes its directory or puts a link in its place meanwhile");
      await handle.close();
    } catch (error) {
      throw new DomainError("invalid-argument", `cannot make the container log ${logPath}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  },
};

/** Gives nothing when something was in the way that is not any more. A fifo fails instead of keeping a thread until somebody reads. */
async function openLog(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
    // A link planted in the log directory would make the monitor, which is root, write wherever it points.
    else if (hasErrno(error, "ELOOP")) await rm(file, { force: true });
    else throw error;
    return undefined;
  }
}
