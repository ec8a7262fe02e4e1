/** Everything about this machine and the daemon's own place in it that decides how a config.json has to look. */
export interface HostFacts {
  /** Go's name, as seccomp profiles use it: `amd64`, `arm64`, `ppc64le`, `s390x`, `riscv64`. */
  architecture: string;
  /** `6.1.0-13-amd64`. */
  kernelRelease: string;
  capabilities: {
    /** All that this kernel has, with the `CAP_` prefix. */
    known: string[];
    /** What the daemon can hand on; a runtime that asks for more fails with EPERM. */
    bounding: string[];
    effective: string[];
  };
  /** The daemon's own value: the lowest it can give without CAP_SYS_RESOURCE. */
  oomScoreAdj: number;
  /** The daemon's own limits by OCI type (`RLIMIT_NOFILE`): without CAP_SYS_RESOURCE `hard` is the highest it can give. */
  rlimits: Record<string, { soft: number; hard: number }>;
  cgroup: CgroupFacts;
  seccomp: { enabled: boolean };
  apparmor: { enabled: boolean };
  selinux: SelinuxFacts;
}

export interface CgroupFacts {
  version: 1 | 2;
  /** `cpu`, `memory`, `pids`, `hugetlb`, ... */
  controllers: string[];
  /** False where the kernel counts no swap (v1 without swapaccount). */
  hasMemorySwap: boolean;
}

export interface SelinuxFacts {
  enabled: boolean;
  /** Labels of the loaded policy's lxc_contexts, or the usual ones. */
  processLabel: string;
  fileLabel: string;
  kvmProcessLabel: string;
  initProcessLabel: string;
}

/** A device node of the host. */
export interface HostDevice {
  /** Absolute, on the host. */
  path: string;
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  /** Permission bits. */
  fileMode: number;
  uid: number;
  gid: number;
}

/** The host's side of a bind mount, after it has been looked at. */
export interface MountSource {
  /** With symlinks resolved. */
  path: string;
  isDirectory: boolean;
  /** Mount point that `path` is on; empty when nobody asked for the propagation. */
  mountPoint: string;
  /** Propagation of that mount, "private" when nobody asked. "shared" receives and sends, "slave" receives only. */
  propagation: "private" | "shared" | "slave";
}

/** One container's SELinux labels; both empty when it runs without. */
export interface SelinuxLabels {
  processLabel: string;
  mountLabel: string;
}

/** Edits that CDI specifications ask for, in the terms of config.json. */
export interface CdiEdits {
  env: string[];
  mounts: { hostPath: string; containerPath: string; type: string; options: string[] }[];
  devices: CdiDeviceNode[];
  hooks: { hookName: string; path: string; args: string[]; env: string[]; timeoutSeconds: number | undefined }[];
  additionalGids: number[];
  intelRdtClosId: string | undefined;
}

export interface CdiDeviceNode {
  path: string;
  type: "c" | "u" | "b" | "p";
  major: number | undefined;
  minor: number | undefined;
  fileMode: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
  permissions: string;
}

/** The host's security mechanisms and the host paths that containers are given. */
export interface Security {
  /** Collected once when the daemon starts. */
  readonly facts: HostFacts;
  /** All device nodes below /dev that a privileged container gets: no pseudo-terminals, no message queues, no shared memory. */
  hostDevices(): Promise<HostDevice[]>;
  /**
   * The device node at `hostPath`, or all nodes below it when it is a directory. Symlinks are followed.
   * @throws DomainError not-found when nothing is there, invalid-argument for what is no device
   */
  devicesAt(hostPath: string): Promise<HostDevice[]>;
  /**
   * Looks at a bind mount's source. A missing one is made as a directory of mode 0755, unless it is in
   * `absentMountSourcesToReject`. The mount it is on is only looked up when `propagation` is not "private": reading the mount
   * table takes a while on a busy node.
   * @throws DomainError not-found for a rejected one, invalid-argument for symlinks in a circle or a path through a file
   */
  mountSource(request: { hostPath: string; propagation: string }): Promise<MountSource>;
  /**
   * The text of a seccomp profile that a pod names; a relative path lies below the kubelet's seccomp root.
   * @throws DomainError not-found, invalid-argument
   */
  readSeccompProfile(localhostRef: string): Promise<string>;
  /** True when the kernel has this AppArmor profile loaded. */
  isApparmorProfileLoaded(name: string): Promise<boolean>;
  /**
   * Makes sure that the kernel has the profile for containers that name none, and gives back the name to use: empty when AppArmor is
   * off, or when there is no apparmor_parser to load the profile with. `crio-default` is built in and loaded.
   * @throws DomainError failed-precondition for any other profile that is not loaded, or when the built-in one is refused
   */
  defaultApparmorProfile(name: string): Promise<string>;
  /**
   * Sets the label of `path` and everything below it; entries that have it already are left alone, and when the top has it
   * nothing is walked.
   */
  relabel(path: string, label: string, options: { shared: boolean; signal?: AbortSignal }): Promise<void>;
  /**
   * Asks the loaded policy whether it knows a label; an empty one is always right.
   * @throws DomainError invalid-argument
   */
  checkSelinuxLabel(label: string): Promise<void>;
  readonly selinux: SelinuxLevels;
  readonly cdi: Cdi;
}

/** MCS levels (`s0:c1,c2`) in use, each for one sandbox. */
export interface SelinuxLevels {
  /** A level that no other sandbox has. Undone by `release`. */
  allocate(): string;
  /** Takes a level that a sandbox on disk has. */
  reserve(level: string): void;
  release(level: string): void;
}

/** Container Device Interface: vendor files that say what a device name means. */
export interface Cdi {
  /** Reads the specification directories again; unreadable files are reported by `problems`. */
  refresh(): Promise<void>;
  /** Path and reason of every file that could not be used. */
  problems(): readonly { file: string; reason: string }[];
  /**
   * The edits for fully qualified names (`vendor.com/class=name`), in order, duplicates once.
   * @throws DomainError not-found for a name that no file defines, invalid-argument for what is no such name
   */
  resolve(names: readonly string[]): Promise<CdiEdits>;
}
