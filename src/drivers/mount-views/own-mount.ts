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
  const place = await realpath(directory.path);
  const own = { ...directory, path: place, given: directory.path };
  // Left by a daemon before this one, or by somebody else.
  const existing = mounts.findLast(({ mountPoint }) => mountPoint === place);
  const isInUse = hasMountsBelow(place, mounts);
  if (existing !== undefined && directory.isPublic) {
    const parent = mounts.find(({ id }) => id === existing.parentId);
    const isPeerOfParent = groupOf(existing) !== undefined && groupOf(existing) === groupOf(parent);
    if (!isPeerOfParent) return own;
  }
  if (isInUse && (existing === undefined || directory.isPublic)) return undefined;
  if (existing === undefined) bindMount(place, place);
  try {
    // Private first: of a shared mount the bind is a peer, in which all that is mounted here would be mounted once more.
    mount("none", place, "", directory.isPublic ? MountFlag.private : MountFlag.unbindable);
    if (directory.isPublic) mount("none", place, "", MountFlag.shared);
  } catch (error) {
    if (existing === undefined) unmount(place);
    throw error;
  }
  // A file system of its own is somebody's; what was bound onto itself is a part of one.
  return existing?.root === "/" ? { ...own, stays: true } : own;
}

/** The peer group of a shared mount. */
function groupOf(mount: MountInfo | undefined): string | undefined {
  return mount?.optionalFields.find((field) => field.startsWith("shared:"));
}

export function hasMountsBelow(directory: string, mounts: readonly MountInfo[]): boolean {
  return mounts.some(({ mountPoint }) => mountPoint.startsWith(`${directory}/`));
}
