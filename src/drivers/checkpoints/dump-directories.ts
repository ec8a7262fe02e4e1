import { randomBytes } from "node:crypto";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { isAlive, type ProcessIdentity } from "#kernel/process-identity.ts";
import { killTree } from "#kernel/process-tree.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import type { CheckpointBindMount } from "#spec/checkpoint.ts";
import type { CheckpointDumps } from "./index.ts";
import type { Tar } from "./tar-program.ts";

/**
 * Checkpoints under way below `directory`:
 *
 *     <container id>/parts/     what goes into the archive
 *     <container id>/list       names of changed files
 *     <container id>/packing    path of the archive that is being written
 *     <container id>/process    the runtime that looks at the container's processes
 */
export function dumpDirectories(directory: string, tar: Tar): CheckpointDumps {
  const placeOf = (id: string, ...names: string[]): string => path.join(directory, id, ...names);
  const packingFile = (id: string): string => placeOf(id, "packing");

  return {
    checkLocation,
    describe,

    async begin(id) {
      await this.end(id);
      const images = placeOf(id, "parts", checkpointPart.images);
      // Memory of processes is in it: for root alone.
      await mkdir(images, { recursive: true, mode: 0o700 });
      return { images, work: placeOf(id, "parts"), listFile: placeOf(id, "list"), processFile: placeOf(id, "process") };
    },

    async halt(id) {
      const process = await readProcess(placeOf(id, "process"));
      if (process !== undefined && isAlive(process)) killTree(process.pid);
    },

    async end(id) {
      const packing = await readFile(packingFile(id), "utf8").catch(() => "");
      if (packing !== "") await rm(packing, { force: true });
      await rm(placeOf(id), { recursive: true, force: true });
    },

    async unfinished() {
      return readdir(directory).catch(() => []);
    },

    async write(id, parts) {
      for (const [name, content] of Object.entries(parts))
        await writeFile(placeOf(id, "parts", name), content, { mode: 0o600 });
    },

    async keepLog(id, file) {
      await copyIfThere(placeOf(id, "parts", checkpointPart.dumpLog), file);
    },

    async copyLog(id, logPath) {
      await copyIfThere(logPath, placeOf(id, "parts", checkpointPart.log));
    },

    async packChanges(id, root, signal) {
      const args = [
        "--create",
        `--file=${placeOf(id, "parts", checkpointPart.rootfsDiff)}`,
        `--directory=${root}`,
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=security.capability",
        "--xattrs-include=user.*",
        "--no-recursion",
        "--null",
        "--verbatim-files-from",
        `--files-from=${placeOf(id, "list")}`,
      ];
      await tar(`container ${id}: packing what it has written`, args, signal);
    },

    async pack(id, location, signal) {
      const parts = await readdir(placeOf(id, "parts"));
      const unique = randomBytes(6).toString("hex");
      const partial = path.join(path.dirname(location), `.${path.basename(location)}.${unique}.partial`);
      // From here on a later start knows what to remove.
      await writeFile(packingFile(id), partial);
      await createEmpty(id, location, partial);
      const args = ["--create", `--file=${partial}`, `--directory=${placeOf(id, "parts")}`, "--numeric-owner", "--"];
      // Small parts first: whoever only shows an archive finds them without reading the memory.
      const ordered = parts.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      await tar(`container ${id}: writing the checkpoint ${location}`, [...args, ...ordered], signal);
      await sync(partial);
      signal.throwIfAborted();
      await rename(partial, location);
    },
  };
}

async function copyIfThere(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}

/** Undefined when there is none, or the one who wrote it did not get far. */
async function readProcess(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as ProcessIdentity | null) ?? undefined;
  } catch {
    return undefined;
  }
}

async function checkLocation(location: string): Promise<void> {
  const kindOf = async (file: string): Promise<"directory" | "other" | undefined> => {
    try {
      return (await stat(file)).isDirectory() ? "directory" : "other";
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  };
  if (!path.isAbsolute(location) || location.endsWith("/"))
    throw new DomainError("invalid-argument", `a checkpoint needs the absolute path of a file, not ${location}`);
  if ((await kindOf(path.dirname(location))) !== "directory")
    throw new DomainError("failed-precondition", `the directory of ${location} does not exist`);
  if ((await kindOf(location)) === "directory")
    throw new DomainError("invalid-argument", `${location} is a directory: a checkpoint is written to a file`);
}

function describe(mounts: readonly { source: string; destination: string }[]): Promise<CheckpointBindMount[]> {
  return Promise.all(
    mounts.map(async ({ source, destination }) => {
      const stats = await stat(source);
      return {
        source,
        destination,
        file_type: stats.isDirectory() ? "directory" : "file",
        permissions: stats.mode & 0o777,
      };
    }),
  );
}

function rank(name: string): number {
  if (name === checkpointPart.images) return 2;
  return name === checkpointPart.rootfsDiff || name === checkpointPart.log ? 1 : 0;
}

async function createEmpty(id: string, location: string, partial: string): Promise<void> {
  try {
    await writeFile(partial, "", { mode: 0o600, flag: "wx" });
  } catch (error) {
    const message = `container ${id}: no checkpoint can be written to ${location}: ${messageOf(error)}`;
    throw new DomainError("failed-precondition", message, { cause: error });
  }
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
