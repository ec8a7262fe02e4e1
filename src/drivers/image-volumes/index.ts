/** A file of an artifact and the name that it has in the volume. */
export interface VolumeFile {
  /** Relative; slashes make directories. From the artifact's manifest, so not to be trusted. */
  name: string;
  /** Absolute, on the host. */
  path: string;
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
   * @throws DomainError invalid-argument for names that cannot be files beside each other
   */
  bindFiles(containerId: string, volume: number, files: readonly VolumeFile[]): Promise<string>;
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
