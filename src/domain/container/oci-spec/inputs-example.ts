import type { HostFacts } from "#drivers/security/index.ts";
import { exampleContainerRequest, exampleSandboxRequest } from "../request-example.ts";
import { defaultSeccompProfile } from "./default-seccomp-profile.ts";
import type { ContainerFacts, ContainerSpecInputs, SandboxFacts, SpecPolicy } from "./spec-inputs.ts";

// Inputs for tests of whole specs: a handler with the default configuration, a plain pod and a plain container.

export function examplePolicy(changes: Partial<SpecPolicy> = {}): SpecPolicy {
  return {
    cgroupManager: "cgroupfs",
    defaultCapabilities: "CHOWN DAC_OVERRIDE FSETID FOWNER SETGID SETUID SETPCAP NET_BIND_SERVICE KILL".split(" "),
    addInheritableCapabilities: false,
    defaultEnv: [],
    defaultUlimits: [],
    pidsLimit: -1,
    readOnly: false,
    seccompProfile: defaultSeccompProfile,
    privilegedSeccompProfile: undefined,
    apparmorProfile: "crio-default",
    additionalDevices: [],
    deviceOwnershipFromSecurityContext: false,
    hostNetworkDisablesSelinux: true,
    privilegedWithoutHostDevices: false,
    minInjectedGomaxprocs: 0,
    minMemoryBytes: 12 << 20,
    allowedAnnotations: [],
    defaultAnnotations: {},
    runtimeFeatures: {},
    runtimeKind: "oci",
    sandboxPerContainer: false,
    storageRoots: ["/var/lib/berth", "/run/berth"],
    ...changes,
  };
}

export function exampleSandboxFacts(changes: Partial<SandboxFacts> = {}): SandboxFacts {
  return {
    id: "5a".repeat(32),
    name: "k8s_web_default_a1b2_0",
    request: exampleSandboxRequest(),
    runtimeHandler: "runc",
    hostname: "web",
    namespaces: { network: "/run/netns/web", ipc: "/run/ipcns/web", uts: "/run/utsns/web" },
    selinuxLevel: "",
    ips: ["10.88.0.2"],
    shmPath: "/run/berth/shm",
    resolvPath: "/run/berth/resolv.conf",
    hostnamePath: "/run/berth/hostname",
    ...changes,
  };
}

function exampleContainerFacts(changes: Partial<ContainerFacts> = {}): ContainerFacts {
  return {
    id: "c0".repeat(32),
    name: "k8s_app_web_default_a1b2_0",
    createdAt: new Date("2026-01-02T03:04:05.678Z"),
    request: exampleContainerRequest(),
    image: {
      id: "1a".repeat(32),
      name: "docker.io/library/busybox:latest",
      ref: `docker.io/library/busybox@sha256:${"2b".repeat(32)}`,
      repoDigests: [`docker.io/library/busybox@sha256:${"2b".repeat(32)}`],
      config: { config: { Cmd: ["sh"] }, rootfs: { type: "layers", diff_ids: [] } },
    },
    rootfs: { path: "/run/berth/rootfs", passwd: "root:x:0:0:root:/root:/bin/sh\n", group: "root:x:0:\n" },
    volumes: [],
    provided: [],
    devices: [],
    hostDevices: [],
    logPath: "/var/log/pods/web/app/0.log",
    seccompText: undefined,
    targetPidPath: undefined,
    cdi: undefined,
    hooks: undefined,
    blockIo: undefined,
    rdtClosId: undefined,
    ...changes,
  };
}

export function exampleInputs(
  host: HostFacts,
  changes: {
    policy?: Partial<SpecPolicy>;
    sandbox?: Partial<SandboxFacts>;
    container?: Partial<ContainerFacts>;
  } = {},
): ContainerSpecInputs {
  return {
    host,
    policy: examplePolicy(changes.policy),
    sandbox: exampleSandboxFacts(changes.sandbox),
    container: exampleContainerFacts(changes.container),
  };
}
