export type NamespaceKind = "net" | "ipc" | "uts" | "user";

/** Part of a user namespace's map. */
export interface IdMapRange {
  containerId: number;
  hostId: number;
  length: number;
}

/** Namespaces that outlive their makers: each is a bind mount below one directory, named after its sandbox. */
export interface Namespaces {
  /**
   * Makes the namespaces together, all of them belonging to the user namespace where one is among them, `lo` up in the network one, hostname and
   * sysctls set, and pins them. On failure none of them stays, and what the sandbox has already does. Undone by `unpin`.
   * @throws DomainError invalid-argument for a sysctl that the kernel refuses, internal otherwise
   */
  pin(
    sandboxId: string,
    kinds: readonly NamespaceKind[],
    settings: {
      hostname?: string;
      sysctls: Readonly<Record<string, string>>;
      /** Of the user namespace. */
      idMaps?: { uids: readonly IdMapRange[]; gids: readonly IdMapRange[] };
    },
  ): Promise<Partial<Record<NamespaceKind, string>>>;
  /** Those of `kinds`, or all. Idempotent. */
  unpin(sandboxId: string, kinds?: readonly NamespaceKind[]): Promise<void>;
  /** Ids of all sandboxes that have a pin, for sweeping what no record claims. */
  pinned(): Promise<string[]>;
  /** True when the pin of `sandboxId` is a live mount: false after a reboot. */
  isPinned(path: string): Promise<boolean>;
}
