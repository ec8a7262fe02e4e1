import type {
  IdMapping,
  LinuxResources,
  NamespaceOptions,
  SecurityProfile,
  SelinuxOptions,
  SupplementalGroupsPolicy,
} from "#domain/sandbox/request.ts";

// What the kubelet asks a container to be, in the domain's own words. The CRI edge translates ContainerConfig into it.
// As in the CRI an empty string, list or map means "not given"; where zero is a value of its own the type says `undefined`.

/** ContainerConfig of the CRI. */
export interface ContainerRequest {
  metadata: ContainerMetadata;
  image: ImageSpec;
  /** Replaces the image's entrypoint. */
  command: string[];
  /** Replaces the image's cmd. */
  args: string[];
  /** Absolute, in the container. */
  workingDir: string;
  /** In the order given; a later entry with the same name wins. */
  env: EnvVariable[];
  mounts: MountRequest[];
  devices: DeviceRequest[];
  /** Fully qualified CDI device names, `vendor/class=device`. */
  cdiDevices: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's `logDirectory`. */
  logPath: string;
  stdin: boolean;
  /** The first attach that ends closes stdin for good. */
  stdinOnce: boolean;
  tty: boolean;
  /** `SIGTERM`, `SIGRTMIN+3`, ... Empty for the image's or the default. */
  stopSignal: string;
  linux: LinuxContainerRequest;
}

export interface ContainerMetadata {
  name: string;
  attempt: number;
}

/** ImageSpec of the CRI. */
export interface ImageSpec {
  /** Id, digest or name of the image. */
  image: string;
  annotations: Record<string, string>;
  /** The name in the pod's manifest. */
  userSpecifiedImage: string;
  runtimeHandler: string;
  imageRef: string;
}

export interface EnvVariable {
  name: string;
  value: string;
}

/** "private" sees no later host mounts, "host-to-container" does (rslave), "bidirectional" also shows its own (rshared). */
export type MountPropagation = "private" | "host-to-container" | "bidirectional";

/** Mount of the CRI: a bind mount of `hostPath`, or the content of `image` (below `imageSubPath`). */
export interface MountRequest {
  /** Absolute, in the container. */
  containerPath: string;
  /** Absolute, on the host; empty when `image` is given. */
  hostPath: string;
  readonly: boolean;
  /** Read-only for submounts too; needs `readonly`, "private" and a runtime that knows `rro`. */
  recursiveReadOnly: boolean;
  selinuxRelabel: boolean;
  propagation: MountPropagation;
  uidMappings: IdMapping[];
  gidMappings: IdMapping[];
  image: ImageSpec | undefined;
  imageSubPath: string;
}

/** Device of the CRI. */
export interface DeviceRequest {
  containerPath: string;
  /** A device node, or a directory whose device nodes are all meant. */
  hostPath: string;
  /** Any of `r`, `w` and `m`. */
  permissions: string;
}

/** LinuxContainerConfig of the CRI. */
export interface LinuxContainerRequest {
  resources: LinuxResources | undefined;
  securityContext: ContainerSecurityContext;
}

/** LinuxContainerSecurityContext of the CRI. */
export interface ContainerSecurityContext {
  capabilities: CapabilitiesRequest;
  privileged: boolean;
  namespaceOptions: NamespaceOptions;
  selinux: SelinuxOptions | undefined;
  runAsUser: number | undefined;
  runAsGroup: number | undefined;
  /** Only one of `runAsUser` and `runAsUsername` is given; empty when not. */
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp: SecurityProfile;
  apparmor: SecurityProfile;
}

/** Names with or without `CAP_`, in any case; `ALL` means all that the daemon can give. */
export interface CapabilitiesRequest {
  add: string[];
  drop: string[];
  addAmbient: string[];
}
