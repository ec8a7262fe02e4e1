import { chmod, chown, copyFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import { type MountsConfEntry, parseMountsConf } from "./parse-mounts-conf.ts";
import type { CopiedMount, DefaultMounts, FileOwner } from "./index.ts";

/**
 * The entries of these files, read anew for each container; of two for one place the first counts. A file that does not exist
 * names nothing, a source that does not exist is left out with a warning.
 */
export function mountsConf(files: readonly string[], logger: Logger): DefaultMounts {
  return {
    async copyTo(directory, owner) {
      const entries = (await Promise.all(files.map((file) => readEntries(file, logger)))).flat();
      const copied = new Map<string, CopiedMount>();
      for (const { source, destination } of entries) {
        if (copied.has(destination)) continue;
        const target = path.join(directory, String(copied.size));
        await mkdir(directory, { recursive: true, mode: 0o711 });
        if (await copyLogged(source, target, owner, logger)) copied.set(destination, { source: target, destination });
      }
      return [...copied.values()];
    },
  };
}

async function readEntries(file: string, logger: Logger): Promise<MountsConfEntry[]> {
  try {
    const onBroken = (line: string): void => logger.warn(`${file} has a line that names no mount: ${line}`);
    return parseMountsConf(await readFile(file, "utf8"), onBroken);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw new DomainError("failed-precondition", `the default mounts in ${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function copyLogged(source: string, target: string, owner: FileOwner, logger: Logger): Promise<boolean> {
  try {
    await copy(source, target, owner, []);
    return true;
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) {
      throw new DomainError(
        "failed-precondition",
        `the default mount ${source} cannot be copied: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    logger.warn(`the default mount ${source} is left out: it is not there`);
    return false;
  }
}

/**
 * Regular files and directories, links followed; sockets and devices are left out, and links that lead nowhere or back into one
 * of the directories `above`.
 */
async function copy(source: string, target: string, owner: FileOwner, above: readonly string[]): Promise<void> {
  const found = await stat(source);
  const identity = `${found.dev}:${found.ino}`;
  if (found.isFile()) await copyFile(source, target);
  else if (!found.isDirectory() || above.includes(identity)) return;
  else await copyDirectory(source, target, owner, [...above, identity]);
  await chmod(target, found.mode & 0o777);
  await chown(target, owner.uid, owner.gid);
}

async function copyDirectory(
  source: string,
  target: string,
  owner: FileOwner,
  above: readonly string[],
): Promise<void> {
  await mkdir(target);
  for (const name of await readdir(source)) {
    await copy(path.join(source, name), path.join(target, name), owner, above).catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT", "ELOOP")) throw error;
    });
  }
}
