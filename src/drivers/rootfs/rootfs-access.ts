import { closeSync, fstatSync, readSync } from "node:fs";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { makeDirectoryInRoot, OpenFlag, openInRoot } from "#kernel/open-in-root.ts";
import type { RootfsAccess } from "./index.ts";

const maxTextBytes = 1 << 20;
const nonBlocking = 0o4000;

/** Access through openat2(2). The calls take microseconds, so they are made on the calling thread. */
export const rootfsAccess: RootfsAccess = {
  // eslint-disable-next-line typescript/require-await -- a rejection, not a throw
  async readText(rootfs, file) {
    let fd: number;
    try {
      fd = openInRoot(rootfs, file, OpenFlag.readOnly | nonBlocking);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "EACCES")) return "";
      throw error;
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return "";
      const buffer = Buffer.alloc(Math.min(stat.size, maxTextBytes));
      return buffer.toString("utf8", 0, readSync(fd, buffer));
    } finally {
      closeSync(fd);
    }
  },

  // eslint-disable-next-line typescript/require-await -- a rejection, not a throw
  async ensureDirectory(rootfs, directory, owner) {
    try {
      if (makeDirectoryInRoot(rootfs, directory, owner)) return;
    } catch (error) {
      throw new DomainError(
        "internal",
        `cannot make the directory ${directory} in the container's root: ${messageOf(error)}`,
        { cause: error },
      );
    }
    throw new DomainError("invalid-argument", `the working directory ${directory} is not a directory in the image`);
  },
};
