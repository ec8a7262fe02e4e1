import { readdirSync, readlinkSync, statSync } from "node:fs";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";

/**
 * Whether a process has a descriptor of this very file, also one for its path alone (O_PATH). False when there is no such process or file,
 * undefined when a security policy does not let us look.
 */
export function holdsFile(pid: number, file: string): boolean | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((fd) => {
      const found = namedLike(path.join(directory, fd), file);
      return found?.dev === dev && found.ino === ino;
    });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return false;
    if (hasErrno(error, "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** Its path may be another in the mount namespace of the process. What has another name is not asked: its file system may not answer. */
function namedLike(link: string, file: string): { dev: bigint; ino: bigint } | undefined {
  try {
    return path.basename(readlinkSync(link)) === path.basename(file) ? statSync(link, { bigint: true }) : undefined;
  } catch (error) {
    // Closed meanwhile.
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
