/** Who owns the files that a container gets: its root, as the host numbers it. */
export interface FileOwner {
  uid: number;
  gid: number;
}

/** What the node gives every container: secrets and subscriptions of the host, containers-mounts.conf(5). */
export interface DefaultMounts {
  /**
   * Copies it into `directory`, which is made, and gives the copies with their places in containers. Copies, since what is named
   * are often symbolic links, which lead nowhere in a container. Nothing is made when there is nothing to copy.
   */
  copyTo(this: void, directory: string, owner: FileOwner): Promise<CopiedMount[]>;
}

export interface CopiedMount {
  /** Absolute, on the host: a file or a directory. */
  source: string;
  /** Absolute, in the container. */
  destination: string;
}
