import { constants, createReadStream, createWriteStream } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { checkpointPart, criuInventory } from "#spec/checkpoint.ts";
import type { CheckpointRestores } from "./index.ts";
import type { Tar } from "./tar-program.ts";

const knownParts: readonly string[] = Object.values(checkpointPart);
const neededParts = [
  checkpointPart.config,
  checkpointPart.spec,
  path.join(checkpointPart.images, criuInventory),
] as const;
const maxReadBytes = 16 << 20;

/** Checkpoints to be restored below `directory`, one directory of parts per name. */
export function restoreDirectories(directory: string, tar: Tar): CheckpointRestores {
  const placeOf = (name: string, ...names: string[]): string => path.join(directory, name, ...names);

  return {
    async take(name, source) {
      const place = placeOf(name);
      await mkdir(place, { recursive: true, mode: 0o700 });
      const from = "archive" in source ? source.archive : source.directory;
      try {
        if ("archive" in source) await unpack(tar, source.archive, place);
        else await copyParts(source.directory, place);
        await checkParts(place, from);
      } catch (error) {
        await this.discard(name);
        throw error;
      }
    },

    images: (name) => placeOf(name, checkpointPart.images),

    async rootfsDiff(name) {
      const file = placeOf(name, checkpointPart.rootfsDiff);
      return (await exists(file)) ? file : undefined;
    },

    async read(name, part) {
      const file = placeOf(name, part);
      if (!(await exists(file))) return undefined;
      const { size } = await stat(file);
      if (size <= maxReadBytes) return readFile(file, "utf8");
      throw new DomainError("invalid-argument", `${part} of the checkpoint has ${size} bytes, which is too much`);
    },

    async appendLog(name, logPath) {
      const file = placeOf(name, checkpointPart.log);
      if (!(await exists(file))) return;
      await pipeline(createReadStream(file), createWriteStream(logPath, { flags: "a" }));
    },

    async discard(name) {
      await rm(placeOf(name), { recursive: true, force: true });
    },

    async names() {
      return readdir(directory).catch(() => []);
    },
  };
}

async function unpack(tar: Tar, archive: string, place: string): Promise<void> {
  if (!(await exists(archive))) throw new DomainError("not-found", `there is no checkpoint archive ${archive}`);
  if (!(await stat(archive)).isFile()) throw notACheckpoint(archive, "it is no file");
  const args = ["--extract", `--file=${archive}`, `--directory=${place}`, "--no-same-owner", "--no-same-permissions"];
  try {
    await tar(`unpacking the checkpoint ${archive}`, args);
  } catch (error) {
    if (error instanceof DomainError && error.kind !== "internal") throw error;
    throw notACheckpoint(archive, messageOf(error), error);
  }
  for (const name of await readdir(place))
    if (!knownParts.includes(name)) await rm(path.join(place, name), { recursive: true, force: true });
}

async function copyParts(source: string, place: string): Promise<void> {
  const names = (await readdir(source)).filter((name) => knownParts.includes(name));
  for (const name of names) await copyTree(path.join(source, name), path.join(place, name));
}

/** Copies files and directories; anything else is left to `checkParts` to miss or to refuse. */
async function copyTree(source: string, target: string): Promise<void> {
  const stats = await lstat(source);
  if (stats.isFile()) return copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  if (!stats.isDirectory()) throw notACheckpoint(source, "it is neither a file nor a directory");
  await mkdir(target, { mode: 0o700 });
  for (const name of await readdir(source)) await copyTree(path.join(source, name), path.join(target, name));
}

/** criu opens what lies here as root: a link or device would make it read something else. */
async function checkParts(place: string, from: string): Promise<void> {
  for (const name of await readdir(place, { recursive: true })) {
    const stats = await lstat(path.join(place, name));
    const plain = stats.isDirectory() || (stats.isFile() && stats.nlink === 1);
    if (!plain) throw notACheckpoint(from, `${name} in it is no regular file`);
  }
  for (const needed of neededParts)
    if (!(await exists(path.join(place, needed)))) throw notACheckpoint(from, `it has no ${needed}`);
}

function notACheckpoint(from: string, why: string, cause?: unknown): DomainError {
  return new DomainError("invalid-argument", `${from} is no checkpoint of a container: ${why}`, { cause });
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}
