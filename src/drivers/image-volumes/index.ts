/** A file of an artifact and the name that it has in the volume. */
export interface VolumeFile {
  /** Relative; slashes make directories. From the artifact's manifest, so not to be trusted. */
  name: string;
  /** Absolute, on the host. */
  path: string;
}

/** How bound files look to the container that gets them. */
export interface BoundFilesOptions {
  /** User namespace whose root they belong to. */
  idMap?: { userNamespace: string; uids: readonly IdRange[]; gids: readonly IdRange[] };
  /** Called with the directory when it has its places and nothing is bound yet. */
  label?(this: void, directory: string): Promise<void>;
}

interface IdRange {
  hostId: number;
  containerId: number;
  length: number;
}

/**
 * Places below one directory at which the content of image volumes is mounted, numbered per container. Everything of a container goes
 * with `remove`, whatever step had been reached when it was cut off.
 */
export interface ImageVolumes {
  /** Makes an empty directory for an image to be mounted on. Undone by `remove`, like all that follows. */
  mountPoint(containerId: string, volume: number): Promise<string>;
  /**
   * A directory with these files, each bound read-only at its name.
   * @throws DomainError invalid-argument for names that cannot be files beside each other, failed-precondition where the files cannot have
   *   the ids of a user namespace
   */
  bindFiles(
    containerId: string,
    volume: number,
    files: readonly VolumeFile[],
    options?: BoundFilesOptions,
  ): Promise<string>;
  /**
   * Gives a stable path to what `subPath` names inside of `content`, a path that `mountPoint` or `bindFiles` gave. Neither `..` nor a
   * symlink leads out of it.
   * @throws DomainError not-found
   */
  bindSubPath(containerId: string, volume: number, content: string, subPath: string): Promise<string>;
  /** Path of a directory that `makeScratch` makes for a volume that the container's own image declares. */
  scratchPath(containerId: string, volume: number): string;
  makeScratch(containerId: string, volume: number, owner: { uid: number; gid: number }): Promise<void>;
  /** Unmounts and removes all of a container's. Idempotent. */
  remove(containerId: string): Promise<void>;
  /** Ids of all containers that have something here. */
  ids(): Promise<string[]>;
}
