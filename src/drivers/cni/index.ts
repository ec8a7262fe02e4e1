/** A pod's place in the network, as CNI wants to know it. */
export interface PodNetwork {
  sandboxId: string;
  podName: string;
  podNamespace: string;
  podUid: string;
  /** Path of the pinned network namespace. */
  netnsPath: string;
  cgroupPath?: string;
  annotations: Record<string, string>;
  portMappings: PortMapping[];
  bandwidth?: { ingressBitsPerSecond?: number; egressBitsPerSecond?: number };
  /** Requested addresses in CIDR or plain form (`ips` capability) and MAC (`mac` capability). */
  ips?: string[];
  mac?: string;
  dns?: { servers: string[]; searches: string[]; options: string[] };
}

export interface PortMapping {
  protocol: "tcp" | "udp" | "sctp";
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface NetworkResult {
  /** Pod addresses, plain, the primary first (at most one primary; others additional). */
  ips: string[];
  interfaceName: string;
  mac?: string;
  /** The plugins' final result as they printed it. */
  raw: unknown;
}

export interface NetworkStatus {
  ready: boolean;
  /** CamelCase reason for the CRI condition; empty when ready. */
  reason: string;
  message: string;
}

/** Networks by CNI plugins (CNI spec 0.3.1 to 1.1.0). */
export interface Network {
  /** Truth about readiness: a configuration is loaded and valid, its plugins exist, STATUS (1.1.0) succeeds. Cached, kept fresh. */
  status(): NetworkStatus;
  /** Resolves when `status().ready` or rejects with DomainError unavailable when `signal` aborts first. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * ADD of every plugin in the chosen list; the result and the configuration used are cached on disk first, so that a later DEL works even
   * when the configuration has changed. On failure DEL is run, nothing stays, and the error names the plugin and its message.
   */
  setUp(pod: PodNetwork): Promise<NetworkResult>;
  /** DEL with the cached configuration; idempotent; works when the namespace is gone; keeps the cache entry when a plugin fails. */
  tearDown(pod: Pick<PodNetwork, "sandboxId" | "podName" | "podNamespace" | "podUid" | "netnsPath">): Promise<void>;
  /** CHECK. */
  check(pod: PodNetwork): Promise<void>;
  /**
   * GC of attachments other than these, and DEL for cached attachments no sandbox owns. Take the set and call in one go: pods
   * whose setUp is under way or begins later are left alone. Attachments that other programs made are left alone too, unless
   * they are of the loaded network and their namespace is gone.
   */
  gc(validSandboxIds: ReadonlySet<string>): Promise<void>;
  /**
   * Tells whether the loaded network does the same for any pod that asks for neither host ports nor bandwidth, so that an attachment
   * can be made before its pod is known. A text for the configuration as it is: attachments made under another are out of date.
   */
  forAnyPod(): string | undefined;
  /**
   * Makes the attachment that `setUp` made under the same sandbox id that of this pod, whose name the cache then has for DEL and CHECK.
   * False, and nothing done, when its interfaces on the host are not there or not in their bridge any more.
   */
  adopt(pod: PodNetwork): Promise<boolean>;
  /** True when a plugin of the loaded list takes the `portMappings` capability; false means host ports are up to the runtime. */
  handlesPortMappings(): boolean;
  /** Result of an earlier setUp from the cache. */
  cachedResult(sandboxId: string): Promise<NetworkResult | undefined>;
  /** Stops watching the configuration directory. */
  close(): Promise<void>;
}
