import { lstat, mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { ContainerLogs } from "./index.ts";

/** Log files where the kubelet wants them, readable by root and its group only. */
export const containerLogs: ContainerLogs = {
  async create(logPath) {
    try {
      await mkdir(path.dirname(logPath), { recursive: true, mode: 0o755 });
      await removeSymlink(logPath);
      const handle = await open(logPath, "a", 0o640);
      await handle.close();
    } catch (error) {
      throw new DomainError("invalid-argument", `cannot make the container log ${logPath}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  },
};

/** A link planted in the log directory would make the monitor, which is root, write wherever it points. */
async function removeSymlink(file: string): Promise<void> {
  try {
    if ((await lstat(file)).isSymbolicLink()) await rm(file);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
