/** The files of a sandbox that its containers see. */
export interface SandboxFilePaths {
  resolvConf: string;
  hostname: string;
  shm?: string;
}

/** Files and the /dev/shm mount of sandboxes, a directory each, gone with the boot. */
export interface SandboxFileStore {
  /**
   * Writes resolv.conf (a copy of the host's when undefined), hostname and, unless `shmSizeBytes` is undefined, mounts a tmpfs for
   * /dev/shm. Undone by `remove`.
   */
  create(
    sandboxId: string,
    content: {
      resolvConf: string | undefined;
      hostname: string;
      shmSizeBytes: number | undefined;
      /** SELinux label of all of it; empty for none. */
      mountLabel: string;
    },
  ): Promise<SandboxFilePaths>;
  /** Writes the hosts file, once the pod's addresses are known, and gives its path. */
  writeHosts(sandboxId: string, content: string, mountLabel: string): Promise<string>;
  /** Unmounts the shm; idempotent. Containers have their own mounts of it. */
  unmount(sandboxId: string): Promise<void>;
  /** Unmounts and removes; idempotent. */
  remove(sandboxId: string): Promise<void>;
  /** Ids of all sandboxes that have a directory. */
  ids(): Promise<string[]>;
}
