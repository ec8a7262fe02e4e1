import { randomBytes } from "node:crypto";
import { open, readdir, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import type { Tar } from "./tar-program.ts";

/** Where an archive goes, and what it is called there until it is whole. */
export interface ArchivePlace {
  location: string;
  partial: string;
}

/** `CheckpointDumps.checkLocation`. */
export async function checkLocation(location: string): Promise<void> {
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

/** Another one for each attempt. */
export function partialPath(location: string): string {
  const unique = randomBytes(6).toString("hex");
  return path.join(path.dirname(location), `.${path.basename(location)}.${unique}.partial`);
}

/** Packs the files of `root` whose names are in `listFile`, each ended by NUL. `about` begins errors. */
export async function packFiles(
  tar: Tar,
  about: string,
  { root, listFile }: { root: string; listFile: string },
  archive: string,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    "--create",
    `--file=${archive}`,
    `--directory=${root}`,
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include=security.capability",
    "--xattrs-include=user.*",
    "--no-recursion",
    "--null",
    "--verbatim-files-from",
    `--files-from=${listFile}`,
  ];
  await tar(about, args, signal);
}

/** Packs everything in the directory `parts`; the archive is in its place once it is whole and on the disk. `about` begins errors. */
export async function packParts(
  tar: Tar,
  about: string,
  parts: string,
  place: ArchivePlace,
  signal: AbortSignal,
): Promise<void> {
  await createEmpty(about, place);
  const args = ["--create", `--file=${place.partial}`, `--directory=${parts}`, "--numeric-owner", "--"];
  // Small parts first: whoever only shows an archive finds them without reading the memory.
  const ordered = (await readdir(parts)).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  await tar(`${about}: writing the checkpoint ${place.location}`, [...args, ...ordered], signal);
  await sync(place.partial);
  signal.throwIfAborted();
  await rename(place.partial, place.location);
}

function rank(name: string): number {
  if (name === checkpointPart.images) return 2;
  return name === checkpointPart.rootfsDiff || name === checkpointPart.log ? 1 : 0;
}

async function createEmpty(about: string, { location, partial }: ArchivePlace): Promise<void> {
  try {
    await writeFile(partial, "", { mode: 0o600, flag: "wx" });
  } catch (error) {
    const message = `${about}: no checkpoint can be written to ${location}: ${messageOf(error)}`;
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
