export type NamespaceKind = "net" | "ipc" | "uts";

/** Namespaces that outlive their makers: each is a bind mount below one directory, named after its sandbox. */
export interface Namespaces {
  /**
   * Makes the namespaces together, `lo` up in the network one, hostname and sysctls set, and pins them. On failure nothing stays.
   * Undone by `unpin`.
   * @throws DomainError invalid-argument for a sysctl that the kernel refuses, internal otherwise
   */
  pin(
    sandboxId: string,
    kinds: readonly NamespaceKind[],
    settings: { hostname?: string; sysctls: Readonly<Record<string, string>> },
  ): Promise<Partial<Record<NamespaceKind, string>>>;
  /** Idempotent. */
  unpin(sandboxId: string): Promise<void>;
  /** Ids of all sandboxes that have a pin, for sweeping what no record claims. */
  pinned(): Promise<string[]>;
  /** True when the pin of `sandboxId` is a live mount: false after a reboot. */
  isPinned(path: string): Promise<boolean>;
}
