// Annotation keys that berth reads from requests or writes into config.json. CRI-O's names, since cAdvisor, log collectors,
// and runtimes such as runsc and kata look for them.

/** Keys in config.json that describe a container or sandbox to other programs. */
export const stateAnnotation = {
  annotations: "io.kubernetes.cri-o.Annotations",
  cgroupParent: "io.kubernetes.cri-o.CgroupParent",
  cniResult: "io.kubernetes.cri-o.CNIResult",
  containerId: "io.kubernetes.cri-o.ContainerID",
  containerName: "io.kubernetes.cri-o.ContainerName",
  containerType: "io.kubernetes.cri-o.ContainerType",
  created: "io.kubernetes.cri-o.Created",
  hostName: "io.kubernetes.cri-o.HostName",
  hostNetwork: "io.kubernetes.cri-o.HostNetwork",
  hostnamePath: "io.kubernetes.cri-o.HostnamePath",
  image: "io.kubernetes.cri-o.Image",
  imageName: "io.kubernetes.cri-o.ImageName",
  imageRef: "io.kubernetes.cri-o.ImageRef",
  imageRepoDigests: "io.kubernetes.cri-o.ImageRepoDigests",
  /** With `.<index>` appended. */
  ip: "io.kubernetes.cri-o.IP",
  kubeName: "io.kubernetes.cri-o.KubeName",
  labels: "io.kubernetes.cri-o.Labels",
  logPath: "io.kubernetes.cri-o.LogPath",
  manager: "io.container.manager",
  metadata: "io.kubernetes.cri-o.Metadata",
  mountPoint: "io.kubernetes.cri-o.MountPoint",
  name: "io.kubernetes.cri-o.Name",
  namespace: "io.kubernetes.cri-o.Namespace",
  namespaceOptions: "io.kubernetes.cri-o.NamespaceOptions",
  portMappings: "io.kubernetes.cri-o.PortMappings",
  privilegedRuntime: "io.kubernetes.cri-o.PrivilegedRuntime",
  resolvPath: "io.kubernetes.cri-o.ResolvPath",
  runtimeHandler: "io.kubernetes.cri-o.RuntimeHandler",
  sandboxId: "io.kubernetes.cri-o.SandboxID",
  sandboxName: "io.kubernetes.cri-o.SandboxName",
  seccompProfilePath: "io.kubernetes.cri-o.SeccompProfilePath",
  shmPath: "io.kubernetes.cri-o.ShmPath",
  stdin: "io.kubernetes.cri-o.Stdin",
  stdinOnce: "io.kubernetes.cri-o.StdinOnce",
  tty: "io.kubernetes.cri-o.TTY",
  volumes: "io.kubernetes.cri-o.Volumes",
} as const;

/** Keys common to CRI runtimes; runsc and kata tell a pod's first container from the others by them. */
export const criAnnotation = {
  containerType: "io.kubernetes.cri.container-type",
  containerName: "io.kubernetes.cri.container-name",
  sandboxId: "io.kubernetes.cri.sandbox-id",
  sandboxName: "io.kubernetes.cri.sandbox-name",
  sandboxNamespace: "io.kubernetes.cri.sandbox-namespace",
  sandboxUid: "io.kubernetes.cri.sandbox-uid",
  imageName: "io.kubernetes.cri.image-name",
} as const;

/** Requests by annotation: today's key and the older one. */
export const requestAnnotation = {
  cgroupWritable: ["cgroup2-mount-hierarchy-rw.crio.io", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw"],
  devices: ["devices.crio.io", "io.kubernetes.cri-o.Devices"],
  shmSize: ["shm-size.crio.io", "io.kubernetes.cri-o.ShmSize"],
  skipGomaxprocs: ["skip-gomaxprocs.crio.io", "io.kubernetes.cri-o.SkipGomaxprocs"],
  umask: ["umask.crio.io", "io.kubernetes.cri-o.umask"],
  unifiedCgroup: ["unified-cgroup.crio.io", "io.kubernetes.cri-o.UnifiedCgroup"],
  usernsMode: ["userns-mode.crio.io", "io.kubernetes.cri-o.userns-mode"],
  seccompProfile: ["seccomp-profile.crio.io", "io.kubernetes.cri-o.seccompProfile"],
  trySkipVolumeSelinuxLabel: ["try-skip-volume-selinux-label.crio.io", "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel"],
} as const;

/** Value of an annotation under its new or its old key. */
export function requestedBy(
  annotations: Readonly<Record<string, string>>,
  keys: readonly string[],
): string | undefined {
  return keys.map((key) => annotations[key]).find((value) => value !== undefined);
}

/**
 * What only a runtime handler or workload that lists it in `allowed_annotations` may use: keys ending or beginning so change
 * what a container may do, or are read by the OCI runtime as orders.
 */
export const restrictedAnnotationSuffixes: readonly string[] = [".crio.io"];
export const restrictedAnnotationPrefixes: readonly string[] = [
  "io.kubernetes.cri-o.",
  "io.kubernetes.cri.",
  "io.containers.trace-syscall",
  "module.wasm.image/",
  "org.criu.config",
  "org.systemd.property.",
  "run.oci.",
];
