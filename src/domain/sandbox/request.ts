// What the kubelet asks a pod sandbox to be, in the domain's own words. The CRI edge translates PodSandboxConfig into it.
// As in the CRI an empty string, list or map means "not given"; where zero is a value of its own the type says `undefined`.

/** PodSandboxConfig of the CRI. */
export interface SandboxRequest {
  metadata: SandboxMetadata;
  /** Empty for host network: the node's name is used then. */
  hostname: string;
  /** Absolute directory on the host for the container logs; empty means that no logs are kept. */
  logDirectory: string;
  /** `undefined` copies the host's resolv.conf. */
  dnsConfig: DnsConfig | undefined;
  portMappings: SandboxPortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux: LinuxSandboxRequest;
}

export interface SandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface DnsConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface SandboxPortMapping {
  protocol: "tcp" | "udp" | "sctp";
  containerPort: number;
  /** 0 when no host port is wanted. */
  hostPort: number;
  /** Empty for all addresses. */
  hostIp: string;
}

export interface LinuxSandboxRequest {
  /** cgroupfs path or systemd slice; empty for the daemon's default parent. */
  cgroupParent: string;
  securityContext: SandboxSecurityContext;
  sysctls: Record<string, string>;
  overhead: LinuxResources | undefined;
  /** Sum of the pod's containers without overhead. */
  resources: LinuxResources | undefined;
}

/** LinuxSandboxSecurityContext of the CRI. */
export interface SandboxSecurityContext {
  namespaceOptions: NamespaceOptions;
  selinux: SelinuxOptions | undefined;
  runAsUser: number | undefined;
  runAsGroup: number | undefined;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  privileged: boolean;
  seccomp: SecurityProfile;
  apparmor: SecurityProfile;
}

/** "pod" shares with the pod, "container" has its own, "node" is the host's, "target" is that of container `targetId`. */
export type NamespaceMode = "pod" | "container" | "node" | "target";

/** NamespaceOption of the CRI. */
export interface NamespaceOptions {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  /** Container whose PID namespace is joined when `pid` is "target"; empty otherwise. */
  targetId: string;
  userns: UserNamespace | undefined;
}

/** `mode` "pod" has a user namespace of its own with these maps, "node" uses the host's. */
export interface UserNamespace {
  mode: NamespaceMode;
  uids: IdMapping[];
  gids: IdMapping[];
}

export interface IdMapping {
  hostId: number;
  containerId: number;
  length: number;
}

/** Empty parts are filled from the policy's defaults. */
export interface SelinuxOptions {
  user: string;
  role: string;
  type: string;
  level: string;
}

/** "merge" adds the groups of the image's /etc/group; "strict" uses only what the request names. */
export type SupplementalGroupsPolicy = "merge" | "strict";

/**
 * SecurityProfile of the CRI for seccomp and AppArmor. "unset" is a request that names none: seccomp runs unconfined then,
 * as the CRI says for a missing profile, AppArmor with the default. `localhostRef` is a path (seccomp) or a loaded profile's
 * name (AppArmor).
 */
export type SecurityProfile =
  | { type: "unset" }
  | { type: "runtime-default" }
  | { type: "unconfined" }
  | { type: "localhost"; localhostRef: string };

/** LinuxContainerResources of the CRI; 0 means not given, except where `undefined` does. */
export interface LinuxResources {
  /** Microseconds. */
  cpuPeriodUs: number;
  /** Microseconds a period; negative is unlimited. */
  cpuQuotaUs: number;
  /** cgroup v1 scale, 2 to 262144. */
  cpuShares: number;
  memoryLimitBytes: number;
  /** Memory and swap together, as in cgroup v1 and the OCI specification; -1 is unlimited. */
  memorySwapLimitBytes: number;
  oomScoreAdj: number;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: HugepageLimit[];
  /** cgroup v2 files and their values. */
  unified: Record<string, string>;
}

export interface HugepageLimit {
  /** `64KB`, `2MB`, `1GB`, as the kernel's file names have it. */
  pageSize: string;
  limitBytes: number;
}
