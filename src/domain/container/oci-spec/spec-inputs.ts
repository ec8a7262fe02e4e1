import type { SandboxRequest } from "#domain/sandbox/request.ts";
import type { CgroupManagerName } from "#domain/sandbox/cgroups-path.ts";
import type { CdiEdits, HostDevice, HostFacts } from "#drivers/security/index.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import type { OciBlockIo, OciFeatures, OciHooks, OciMount } from "#spec/oci-runtime.ts";
import type { ContainerRequest } from "../request.ts";
import type { FoundDevice } from "./devices.ts";
import type { SandboxNamespaces } from "./namespaces.ts";
import type { SeccompProfile } from "./seccomp-profile.ts";
import type { FoundMount } from "./volume-mount.ts";

/** What the configuration and the runtime handler decide, the same for all their containers. */
export interface SpecPolicy {
  cgroupManager: CgroupManagerName;
  defaultCapabilities: readonly string[];
  addInheritableCapabilities: boolean;
  /** `NAME=value`. */
  defaultEnv: readonly string[];
  /** `name=soft:hard`. */
  defaultUlimits: readonly string[];
  pidsLimit: number;
  /** Read-only roots for all unprivileged containers. */
  readOnly: boolean;
  /** Content of `seccomp_profile`, or `defaultSeccompProfile`. */
  seccompProfile: SeccompProfile;
  privilegedSeccompProfile: SeccompProfile | undefined;
  apparmorProfile: string;
  /** `additional_devices`, looked up on the host. */
  additionalDevices: readonly FoundDevice[];
  deviceOwnershipFromSecurityContext: boolean;
  hostNetworkDisablesSelinux: boolean;
  privilegedWithoutHostDevices: boolean;
  minMemoryBytes: number;
  /** `min_injected_gomaxprocs`; 0 sets none. */
  minInjectedGomaxprocs: number;
  /** Beginnings of restricted annotation keys that may be used. */
  allowedAnnotations: readonly string[];
  /** Given to containers that do not set them. */
  defaultAnnotations: Readonly<Record<string, string>>;
  runtimeFeatures: OciFeatures;
  /** "vm" runtimes get SELinux's label for virtual machines. */
  runtimeKind: "oci" | "vm";
  /** The runtime (gVisor) isolates each container by itself: conmon can watch no process that belongs to another container's sandbox. */
  sandboxPerContainer: boolean;
  /** Directories where berth mounts roots. */
  storageRoots: readonly string[];
}

/** The pod as it stands. */
export interface SandboxFacts {
  id: string;
  /** `k8s_<pod>_<namespace>_<uid>_<attempt>`. */
  name: string;
  request: SandboxRequest;
  runtimeHandler: string;
  /** The name in the pod's UTS namespace; the node's on the host's network. */
  hostname: string;
  namespaces: SandboxNamespaces;
  /** MCS level that all the pod's containers share; empty without SELinux. */
  selinuxLevel: string;
  ips: readonly string[];
  /** Files on the host that the containers are given; empty when there is none. */
  shmPath: string;
  resolvPath: string;
  hostnamePath: string;
}

/** The image, as far as containers made of it are told. */
export interface ImageFacts {
  /** 64 hex. */
  id: string;
  /** As the user named it. */
  name: string;
  /** `registry/repository@digest` or the id. */
  ref: string;
  repoDigests: readonly string[];
  config: ImageConfig;
}

/** The root directory and the two files of it that decide who runs; their text is empty when they do not exist. */
export interface RootfsFacts {
  path: string;
  passwd: string;
  group: string;
}

/** One container: the request and all that was found out or made for it. */
export interface ContainerFacts {
  id: string;
  /** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`. */
  name: string;
  createdAt: Date;
  request: ContainerRequest;
  image: ImageFacts;
  rootfs: RootfsFacts;
  volumes: readonly FoundMount[];
  /** resolv.conf, hostname, hosts, the pod's /dev/shm, ...; a volume at the same place replaces them. */
  provided: readonly OciMount[];
  devices: readonly FoundDevice[];
  /** All of the host's, for a privileged container; unused otherwise. */
  hostDevices: readonly HostDevice[];
  /** Absolute path of the log. */
  logPath: string;
  seccompText: string | undefined;
  targetPidPath: string | undefined;
  cdi: CdiEdits | undefined;
  hooks: OciHooks | undefined;
  blockIo: OciBlockIo | undefined;
  rdtClosId: string | undefined;
}

export interface ContainerSpecInputs {
  host: HostFacts;
  policy: SpecPolicy;
  sandbox: SandboxFacts;
  container: ContainerFacts;
}
