import type { NamedImage } from "#domain/image/allow-use.ts";
import type { Image, ImageContent, ImageInUse } from "#domain/image/image.ts";
import type { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { Cgroups } from "#drivers/cgroup/index.ts";
import type { CheckpointFiles } from "#drivers/checkpoints/index.ts";
import type { ImageVolumes } from "#drivers/image-volumes/index.ts";
import type { DefaultMounts } from "#drivers/default-mounts/index.ts";
import type { Hooks } from "#drivers/hooks/index.ts";
import type { MountViews } from "#drivers/mount-views/index.ts";
import type { Monitor } from "#drivers/monitor/index.ts";
import type { OciRuntimes } from "#drivers/oci-runtime/index.ts";
import type { Processes } from "#drivers/processes/index.ts";
import type { Bundles, ContainerLogs, RootfsAccess } from "#drivers/rootfs/index.ts";
import type { Security } from "#drivers/security/index.ts";
import type { Storage } from "#drivers/storage/index.ts";
import type { Logger } from "#observability/logger.ts";
import type { ContainerStore } from "./container-store.ts";
import type { Container } from "./container.ts";
import type { DeclaredVolumesMode } from "./declared-volumes.ts";
import type { SpecPolicy } from "./oci-spec/spec-inputs.ts";
import type { Workload } from "./workload.ts";

/** What happens to containers that others want to know. */
export type ContainerEventType = "created" | "started" | "stopped" | "deleted";

/** Values of the configuration and of the machine that containers depend on. */
export interface ContainerSettings {
  bootId: string;
  noPivot: boolean;
  createTimeoutMs(this: void, handler: string): number;
  /** Where logs go when the kubelet names no directory. */
  defaultLogDirectory: string;
  /** `pause_image` and `pause_command`. */
  pauseImage: string;
  pauseCommand: readonly string[];
  infraCpuset: string;
  dropInfra: boolean;
  /** `image_volumes`: what becomes of volumes that images declare. */
  declaredVolumes: DeclaredVolumesMode;
  /** Mounted at /etc/localtime; undefined leaves what the image has. */
  timezoneFile: string | undefined;
  /** `allowed_devices`: those that pods may ask for by annotation. */
  allowedDevices: readonly string[];
  workloads: readonly Workload[];
  /** What config.json gets from the configuration, for one runtime handler. */
  specPolicy(handler: string): Promise<SpecPolicy>;
  /** True for runtimes whose processes are not those of the host (gVisor, virtual machines). */
  isSandboxed(handler: string): boolean;
  /** `enable_criu_support`. */
  criuEnabled: boolean;
}

/** The part of the image domain that containers need. */
export interface ImagesInUse {
  /** Undefined when it is not on this node. */
  find(name: string): Image | undefined;
  /** @throws DomainError not-found naming the image */
  use(name: string): ImageInUse;
  /** As `use`, pulling it when it is missing. */
  ensure(name: string): Promise<ImageInUse>;
  /**
   * An image or an artifact as a volume shows it.
   * @throws DomainError not-found, failed-precondition
   */
  content(name: string): ImageContent;
  /** @throws DomainError signature-validation-failed when the policy for the namespace does not allow the image to be used */
  allow(image: NamedImage, namespace: string): Promise<void>;
}

/** What containers are made of. */
export interface ContainerDrivers {
  store: ContainerStore;
  sandboxes: SandboxStore;
  images: ImagesInUse;
  storage: Storage;
  imageVolumes: ImageVolumes;
  mountViews: MountViews;
  checkpoints: CheckpointFiles;
  runtimes: OciRuntimes;
  monitor: Monitor;
  processes: Processes;
  cgroups: Cgroups;
  security: Security;
  hooks: Hooks;
  defaultMounts: DefaultMounts;
  rootfs: RootfsAccess;
  bundles: Bundles;
  logs: ContainerLogs;
  settings: ContainerSettings;
  publish(type: ContainerEventType, container: Container): void;
  /** The monitor of a container ended before it could record the container's end. */
  monitorLost(container: Container): void;
  logger: Logger;
}
