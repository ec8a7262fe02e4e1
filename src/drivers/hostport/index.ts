/** A port of the host that leads to a port of a pod. */
export interface HostPortMapping {
  protocol: "tcp" | "udp" | "sctp";
  containerPort: number;
  /** 0 means that no host port is wanted. */
  hostPort: number;
  /** The host address to listen on; empty for all, `0.0.0.0` for all of IPv4, `::` for all of IPv6. */
  hostIp: string;
}

/**
 * Host ports of pods by the packet filter, for networks whose CNI plugins do not take the `portMappings` capability. A host
 * port is reachable from outside, from the host (by 127.0.0.1 also), and from the pod itself.
 */
export interface HostPorts {
  /**
   * Opens the mappings of a pod towards its first address of each family, all or none, in place of what it had.
   * @throws DomainError already-exists when another pod has one of the ports, invalid-argument when a mapping is impossible,
   *   failed-precondition when the machine has no packet filter, internal when it refuses
   */
  add(sandboxId: string, podIps: readonly string[], mappings: readonly HostPortMapping[]): Promise<void>;
  /** Closes all ports of a pod; nothing to do when it has none. @throws DomainError internal */
  remove(sandboxId: string): Promise<void>;
  /** Closes the ports of pods that are not valid by then. For the start of the daemon. @throws DomainError internal */
  sweep(isValid: (sandboxId: string) => boolean): Promise<void>;
}
