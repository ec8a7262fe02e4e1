import { mkdir, realpath } from "node:fs/promises";
import { bindMount, mount, MountFlag, type MountInfo, unmount } from "#kernel/mount.ts";

/** A directory in which mounts for pods are made. */
export interface MountDirectory {
  readonly path: string;
  readonly mode: number;
  /** Others look into it: what is mounted in it reaches the copies that they have of the place. */
  readonly isPublic: boolean;
  /** It is not berth's alone, and stays a mount when berth has nothing in it any more. */
  readonly stays: boolean;
}

/** A directory that is a mount of its own, its path without symlinks. */
export interface OwnMount extends MountDirectory {
  /** The path as it was given. */
  readonly given: string;
}

/**
 * Makes a directory a mount of its own by binding it onto itself. One of berth's own is unbindable: it is no part of what others copy of the
 * host, so that no container keeps roots of others busy, and it is private. A public one is shared, as `ip netns` makes /run/netns. Undone
 * by unmounting it.
 * @returns undefined where mounts lie in the directory already: they would be hidden. In a public one that `ip netns` has made a peer of
 *   what it lies on, each is there twice.
 * @throws SystemError
 */
export async function makeOwnMount(
  directory: MountDirectory,
  mounts: readonly MountInfo[],
): Promise<OwnMount | undefined> {
  await mkdir(directory.path, { recursive: true, mode: directory.mode });
  const own = { ...directory, path: await realpath(directory.path), given: directory.path };
  const existing = mounts.findLast(({ mountPoint }) => mountPoint === own.path);
  const isInUse = hasMountsBelow(own.path, mounts);
  if (existing === undefined) {
    if (isInUse) return undefined;
    bind(own);
    return own;
  }
  // Left by a daemon before this one, or by somebody else.
  if (own.isPublic && !isPeerOfParent(existing, mounts)) return own;
  if (own.isPublic && isInUse) return undefined;
  setPropagation(own);
  // A file system of its own is somebody's; what was bound onto itself is a part of one.
  return existing.root === "/" ? { ...own, stays: true } : own;
}

function bind(own: OwnMount): void {
  bindMount(own.path, own.path);
  try {
    setPropagation(own);
  } catch (error) {
    unmount(own.path);
    throw error;
  }
}

function setPropagation({ path, isPublic }: OwnMount): void {
  // Private first: bound from a shared mount it is a peer of that, in which all that is mounted here would be mounted once more.
  mount("none", path, "", isPublic ? MountFlag.private : MountFlag.unbindable);
  if (isPublic) mount("none", path, "", MountFlag.shared);
}

function isPeerOfParent(mount: MountInfo, mounts: readonly MountInfo[]): boolean {
  const groupOf = (one: MountInfo | undefined): string | undefined =>
    one?.optionalFields.find((field) => field.startsWith("shared:"));
  const group = groupOf(mount);
  return group !== undefined && group === groupOf(mounts.find(({ id }) => id === mount.parentId));
}

export function hasMountsBelow(directory: string, mounts: readonly MountInfo[]): boolean {
  return mounts.some(({ mountPoint }) => mountPoint.startsWith(`${directory}/`));
}
