/** The mounted root of a container, seen from outside. Images are untrusted: no path leads out of the root. */
export interface RootfsAccess {
  /** Text of a small file; "" when there is none or it is no regular file. At most 1 MiB is read. */
  readText(rootfs: string, file: string): Promise<string>;
  /** Sees to it that a directory is there, owned by `owner` when it is new. @throws DomainError invalid-argument when a file is in its place */
  ensureDirectory(rootfs: string, directory: string, owner: { uid: number; gid: number }): Promise<void>;
}

/** Directories of containers with what the monitor and the runtime read and write (bundles). */
export interface Bundles {
  /** Makes the bundle with these files (name → content). Undone by `remove`. Gives its path. */
  create(containerId: string, files: Readonly<Record<string, string>>): Promise<string>;
  path(containerId: string): string;
  readFile(containerId: string, name: string): Promise<string>;
  /** Idempotent. */
  remove(containerId: string): Promise<void>;
  /** Ids of all containers that have one. */
  ids(): Promise<string[]>;
}

/** Log files of containers. */
export interface ContainerLogs {
  /**
   * Makes the empty log file and its directory, so that readers find it before the first line. A symlink in its place is replaced.
   * @throws DomainError invalid-argument for a path that cannot be a log
   */
  create(logPath: string): Promise<void>;
}
