import { closeSync, fstatSync } from "node:fs";
import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { mountIdmapped } from "#kernel/idmapped-mount.ts";
import { bindMount, listMounts, mount, MountFlag, unmountOffThread } from "#kernel/mount.ts";
import { OpenFlag, openInRoot } from "#kernel/open-in-root.ts";
import type { BoundFilesOptions, ImageVolumes, VolumeFile } from "./index.ts";

const readOnlyFile = MountFlag.readOnly | MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec;

/**
 * Image volumes below `directory`, which the boot ends:
 *
 *     <container id>/<volume>/content   the image's root, or a directory with an artifact's files
 *     <container id>/<volume>/sub       what a sub path names in it
 *     <container id>/<volume>/scratch   a volume that the container's image declares
 */
export function mountedVolumes(directory: string): ImageVolumes {
  const placeOf = (containerId: string, volume: number, name: string): string =>
    path.join(directory, containerId, String(volume), name);

  return {
    async mountPoint(containerId, volume) {
      const place = placeOf(containerId, volume, "content");
      await mkdir(place, { recursive: true, mode: 0o700 });
      return place;
    },

    async bindFiles(containerId, volume, files, options = {}) {
      const place = placeOf(containerId, volume, "content");
      await mkdir(path.dirname(place), { recursive: true, mode: 0o700 });
      await makePlace(place, "directory", options);
      // The last of several files with one name is the one that is seen, as with layers.
      const byName = new Map(files.map((file) => [fileName(file), file]));
      for (const [name, file] of byName) await makeFilePlace(file, place, name, options);
      await options.label?.(place);
      for (const [name, file] of byName) await bindFile(file, path.join(place, name), options.idMap?.userNamespace);
      return place;
    },

    async bindSubPath(containerId, volume, content, subPath) {
      const target = placeOf(containerId, volume, "sub");
      const found = open(content, subPath);
      try {
        if (fstatSync(found).isDirectory()) await mkdir(target, { mode: 0o700 });
        else await writeFile(target, "", { flag: "wx" });
        // The descriptor is what was found; by its path something else could be reached later.
        bindMount(`/proc/self/fd/${found}`, target, { recursive: true });
      } finally {
        closeSync(found);
      }
      return target;
    },

    scratchPath: (containerId, volume) => placeOf(containerId, volume, "scratch"),

    async makeScratch(containerId, volume, owner) {
      const place = placeOf(containerId, volume, "scratch");
      await mkdir(path.dirname(place), { recursive: true, mode: 0o700 });
      await mkdir(place, { mode: 0o755 });
      await chown(place, owner.uid, owner.gid);
    },

    async remove(containerId) {
      const place = path.join(directory, containerId);
      if (!(await exists(place))) return;
      await unmountBelow(place);
      await rm(place, { recursive: true, force: true });
    },

    async ids() {
      return readdir(directory).catch(() => []);
    },
  };
}

/** @throws DomainError invalid-argument for a name that is no file's */
function fileName({ name }: VolumeFile): string {
  const cleaned = path.posix.join("/", name);
  if (cleaned !== "/" && !cleaned.endsWith("/") && !name.includes("\0")) return cleaned;
  throw new DomainError("invalid-argument", `the artifact has a file that is named ${JSON.stringify(name)}`);
}

/** A directory or an empty file that belongs to the root of the user namespace. */
async function makePlace(place: string, kind: "directory" | "file", { idMap }: BoundFilesOptions): Promise<void> {
  if (kind === "directory") await mkdir(place, { mode: 0o755 });
  else await writeFile(place, "", { flag: "wx", mode: 0o444 });
  if (idMap !== undefined) await chown(place, rootOf(idMap.uids), rootOf(idMap.gids));
}

async function makeFilePlace(file: VolumeFile, place: string, name: string, options: BoundFilesOptions): Promise<void> {
  const parts = name.split("/").filter((part) => part !== "");
  try {
    for (const [index] of parts.slice(1).entries()) {
      const directory = path.join(place, ...parts.slice(0, index + 1));
      await makePlace(directory, "directory", options).catch(async (error: unknown) => {
        if (!hasErrno(error, "EEXIST") || !(await stat(directory)).isDirectory()) throw error;
      });
    }
    await makePlace(path.join(place, ...parts), "file", options);
  } catch (error) {
    if (!hasErrno(error, "EEXIST", "ENOTDIR", "EISDIR", "ENAMETOOLONG")) throw error;
    throw new DomainError(
      "invalid-argument",
      `the artifact's file ${JSON.stringify(file.name)} cannot stand beside its other files: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function rootOf(ranges: readonly { hostId: number; containerId: number }[]): number {
  return ranges.find(({ containerId }) => containerId === 0)?.hostId ?? 0;
}

async function bindFile(file: VolumeFile, target: string, userNamespace: string | undefined): Promise<void> {
  // A container's user is seldom root; on the host the directory above keeps others out.
  await chmod(file.path, 0o444);
  if (userNamespace === undefined) {
    bindMount(file.path, target, { readOnly: true, flags: readOnlyFile });
    return;
  }
  try {
    mountIdmapped(file.path, target, userNamespace);
  } catch (error) {
    throw new DomainError(
      "failed-precondition",
      `the artifact's file ${JSON.stringify(file.name)} cannot be idmapped, which user namespaces need: ${messageOf(error)}`,
      { cause: error },
    );
  }
  // Undone by `remove`, as the bind mount.
  mount("", target, "", MountFlag.bind | MountFlag.remount | readOnlyFile);
}

function open(content: string, subPath: string): number {
  try {
    return openInRoot(content, subPath, OpenFlag.pathOnly);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG")) throw error;
    throw new DomainError("not-found", `sub path ${JSON.stringify(subPath)} does not exist in it`, { cause: error });
  }
}

async function exists(place: string): Promise<boolean> {
  try {
    await readdir(place);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Innermost first. What is busy is detached, and goes when its last user does. */
async function unmountBelow(place: string): Promise<void> {
  const mounts = (await listMounts()).map(({ mountPoint }) => mountPoint);
  for (const mountPoint of mounts.filter((one) => one.startsWith(`${place}/`)).toReversed()) {
    try {
      await unmountOffThread(mountPoint);
    } catch (error) {
      if (!hasErrno(error, "EBUSY")) throw error;
      await unmountOffThread(mountPoint, { lazy: true });
    }
  }
}
