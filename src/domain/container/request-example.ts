import type { NamespaceOptions, SandboxRequest } from "#domain/sandbox/request.ts";
import type { ContainerRequest, ContainerSecurityContext, MountRequest } from "./request.ts";

export { noResources } from "./no-resources.ts";

// Requests for tests: plain ones that nothing special was asked for.

export const podNamespaces: NamespaceOptions = {
  network: "pod",
  pid: "container",
  ipc: "pod",
  targetId: "",
  userns: undefined,
};

export function exampleSecurityContext(changes: Partial<ContainerSecurityContext> = {}): ContainerSecurityContext {
  return {
    capabilities: { add: [], drop: [], addAmbient: [] },
    privileged: false,
    namespaceOptions: podNamespaces,
    selinux: undefined,
    runAsUser: undefined,
    runAsGroup: undefined,
    runAsUsername: "",
    readonlyRootfs: false,
    supplementalGroups: [],
    supplementalGroupsPolicy: "merge",
    noNewPrivs: false,
    maskedPaths: [],
    readonlyPaths: [],
    seccomp: { type: "unset" },
    apparmor: { type: "unset" },
    ...changes,
  };
}

export function exampleContainerRequest(changes: Partial<ContainerRequest> = {}): ContainerRequest {
  return {
    metadata: { name: "app", attempt: 0 },
    image: { image: "busybox", annotations: {}, userSpecifiedImage: "busybox", runtimeHandler: "", imageRef: "" },
    command: [],
    args: [],
    workingDir: "",
    env: [],
    mounts: [],
    devices: [],
    cdiDevices: [],
    labels: {},
    annotations: {},
    logPath: "app/0.log",
    stdin: false,
    stdinOnce: false,
    tty: false,
    stopSignal: "",
    linux: { resources: undefined, securityContext: exampleSecurityContext() },
    ...changes,
  };
}

export function exampleSandboxRequest(changes: Partial<SandboxRequest> = {}): SandboxRequest {
  return {
    metadata: { name: "web", uid: "a1b2", namespace: "default", attempt: 0 },
    hostname: "web",
    logDirectory: "/var/log/pods/web",
    dnsConfig: undefined,
    portMappings: [],
    labels: {},
    annotations: {},
    linux: {
      cgroupParent: "/kubepods/web",
      securityContext: {
        namespaceOptions: podNamespaces,
        selinux: undefined,
        runAsUser: undefined,
        runAsGroup: undefined,
        readonlyRootfs: false,
        supplementalGroups: [],
        supplementalGroupsPolicy: "merge",
        privileged: false,
        seccomp: { type: "unset" },
        apparmor: { type: "unset" },
      },
      sysctls: {},
      overhead: undefined,
      resources: undefined,
    },
    ...changes,
  };
}

export function exampleMount(changes: Partial<MountRequest> = {}): MountRequest {
  return {
    containerPath: "/data",
    hostPath: "/srv/data",
    readonly: false,
    recursiveReadOnly: false,
    selinuxRelabel: false,
    propagation: "private",
    uidMappings: [],
    gidMappings: [],
    image: undefined,
    imageSubPath: "",
    ...changes,
  };
}
