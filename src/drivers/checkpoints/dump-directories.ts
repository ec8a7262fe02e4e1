import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { hasErrno } from "#errors/domain-error.ts";
import { killNoted } from "#kernel/process-note.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import type { CheckpointBindMount } from "#spec/checkpoint.ts";
import { checkLocation, packFiles, packParts, partialPath } from "./dump-archive.ts";
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
      await killNoted(placeOf(id, "process"));
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
      const what = `container ${id}: packing what it has written`;
      const files = { root, listFile: placeOf(id, "list") };
      await packFiles(tar, what, files, placeOf(id, "parts", checkpointPart.rootfsDiff), signal);
    },

    async pack(id, location, signal) {
      const partial = partialPath(location);
      // From here on a later start knows what to remove.
      await writeFile(packingFile(id), partial);
      await packParts(tar, `container ${id}`, placeOf(id, "parts"), { partial, location }, signal);
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
