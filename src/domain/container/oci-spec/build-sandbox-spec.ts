import { cgroupsPath } from "#domain/sandbox/cgroups-path.ts";
import { selinuxLabels } from "#domain/sandbox/selinux-labels.ts";
import type { HostFacts } from "#drivers/security/index.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import type { OciMount, OciNamespace, OciSpec } from "#spec/oci-runtime.ts";
import { sandboxAnnotations } from "./annotations.ts";
import { apparmorProfile } from "./apparmor.ts";
import { type BuiltSpec, ociVersion } from "./build-container-spec.ts";
import { buildCapabilities } from "./capabilities.ts";
import { buildDevices } from "./devices.ts";
import { buildMounts } from "./mounts.ts";
import { buildNamespaces, hasUserNamespace, userNamespaceMaps } from "./namespaces.ts";
import { processArgs, processCwd, processEnv } from "./process.ts";
import { oomScoreAdj } from "./resources.ts";
import { buildSeccomp } from "./seccomp.ts";
import type { RootfsFacts, SandboxFacts, SpecPolicy } from "./spec-inputs.ts";
import { resolveUser } from "./user.ts";

/** The pod's infra container, which only holds namespaces. */
export interface InfraFacts {
  /** `k8s_POD_<pod>_...`. */
  name: string;
  createdAt: Date;
  /** `pause_command`; empty for what the pause image says. */
  command: readonly string[];
  imageConfig: ImageConfig;
  rootfs: RootfsFacts;
  provided: readonly OciMount[];
  /** `infra_ctr_cpuset`; empty for all. */
  cpuset: string;
  seccompText: string | undefined;
}

export interface SandboxSpecInputs {
  host: HostFacts;
  policy: SpecPolicy;
  sandbox: SandboxFacts;
  infra: InfraFacts;
}

/** The kernel kills it after everything else of the pod, and it needs next to no CPU. */
const infraOomScoreAdj = -998;
const infraCpuShares = 2;

/**
 * config.json of the infra container: a read-only root, default capabilities, no volumes. Pure like `buildContainerSpec`.
 * @throws DomainError as the sections do
 */
export function buildSandboxSpec(inputs: SandboxSpecInputs): BuiltSpec {
  const { host, policy, sandbox, infra } = inputs;
  const { securityContext } = sandbox.request.linux;
  const user = resolveUser({
    runAsUser: securityContext.runAsUser,
    runAsUsername: "",
    // The kubelet may set a group alone for the pod, where that is an error for a container.
    runAsGroup: securityContext.runAsUser === undefined ? undefined : securityContext.runAsGroup,
    supplementalGroups: securityContext.supplementalGroups,
    supplementalGroupsPolicy: securityContext.supplementalGroupsPolicy,
    imageUser: infra.imageConfig.config?.User ?? "",
    ...infra.rootfs,
  });
  const { capabilities, leftOut } = buildCapabilities({
    request: { add: [], drop: [], addAmbient: [] },
    privileged: false,
    defaults: policy.defaultCapabilities,
    addInheritable: policy.addInheritableCapabilities,
    bounding: host.capabilities.bounding,
  });
  const seccomp = buildSeccomp({
    profile: securityContext.seccomp,
    localhostText: infra.seccompText,
    privileged: securityContext.privileged,
    enabled: host.seccomp.enabled,
    defaultProfile: policy.seccompProfile,
    privilegedProfile: policy.privilegedSeccompProfile,
    architecture: host.architecture,
    capabilities: capabilities.bounding,
    kernelRelease: host.kernelRelease,
  });
  const labels = selinuxLabels({
    facts: host.selinux,
    options: securityContext.selinux,
    namespaces: securityContext.namespaceOptions,
    privileged: securityContext.privileged,
    hostNetworkDisables: policy.hostNetworkDisablesSelinux,
    level: sandbox.selinuxLevel,
    kind: policy.runtimeKind === "vm" ? "kvm" : "container",
  });
  const oom = oomScoreAdj(infraOomScoreAdj, {
    oomScoreAdj: host.oomScoreAdj,
    canLower: host.capabilities.effective.includes("CAP_SYS_RESOURCE"),
  });
  const spec: OciSpec = {
    ociVersion,
    root: { path: infra.rootfs.path, readonly: true },
    ...(sandbox.namespaces.uts === undefined || sandbox.hostname === "" ? {} : { hostname: sandbox.hostname }),
    mounts: infraMounts(inputs),
    process: {
      terminal: false,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: infraArgs(infra),
      env: processEnv({
        request: [],
        image: infra.imageConfig.config ?? {},
        defaults: [],
        hostname: sandbox.hostname,
        home: undefined,
        tty: false,
      }),
      cwd: processCwd("", infra.imageConfig.config ?? {}),
      capabilities,
      noNewPrivileges: true,
      oomScoreAdj: oom.value,
      ...infraApparmor(inputs),
      ...(labels.processLabel === "" ? {} : { selinuxLabel: labels.processLabel }),
    },
    linux: {
      ...infraLinux(inputs),
      ...(seccomp.seccomp === undefined ? {} : { seccomp: seccomp.seccomp }),
      ...(labels.mountLabel === "" ? {} : { mountLabel: labels.mountLabel }),
    },
    annotations: sandboxAnnotations(sandbox, policy, {
      containerName: infra.name,
      createdAt: infra.createdAt,
      rootfsPath: infra.rootfs.path,
      seccompName: seccomp.name,
    }),
  };
  const warnings = [...seccomp.warnings, ...(oom.warning === undefined ? [] : [oom.warning])];
  if (leftOut.length > 0) warnings.push(`not given, because the daemon does not have them: ${leftOut.join(", ")}`);
  return { spec, warnings, user, labels, seccompName: seccomp.name };
}

function infraArgs(infra: InfraFacts): string[] {
  return processArgs({ command: infra.command, args: [] }, infra.imageConfig.config ?? {});
}

function infraApparmor({ host, policy, sandbox }: SandboxSpecInputs): { apparmorProfile?: string } {
  const { apparmor, privileged } = sandbox.request.linux.securityContext;
  const profile = apparmorProfile({
    profile: apparmor,
    privileged,
    enabled: host.apparmor.enabled,
    defaultProfile: policy.apparmorProfile,
  });
  return profile === undefined ? {} : { apparmorProfile: profile };
}

function infraMounts({ sandbox, policy, infra }: SandboxSpecInputs): OciMount[] {
  const { namespaceOptions, privileged } = sandbox.request.linux.securityContext;
  return buildMounts({
    defaults: {
      privileged,
      cgroupWritable: false,
      bindHostSysfs: hasUserNamespace(namespaceOptions) && namespaceOptions.network === "node",
      systemd: false,
      tmpfsForReadonlyRoot: false,
    },
    provided: infra.provided,
    volumes: [],
    features: policy.runtimeFeatures,
    storageRoots: policy.storageRoots,
  }).mounts;
}

function infraLinux({ host, policy, sandbox, infra }: SandboxSpecInputs): OciSpec["linux"] {
  const { namespaceOptions, privileged } = sandbox.request.linux.securityContext;
  const maps = userNamespaceMaps(namespaceOptions);
  return {
    namespaces: infraNamespaces({ host, policy, sandbox, infra }),
    ...(maps.uids.length === 0 ? {} : { uidMappings: maps.uids, gidMappings: maps.gids }),
    cgroupsPath: cgroupsPath(policy.cgroupManager, sandbox.request.linux.cgroupParent, sandbox.id),
    devices: [],
    resources: {
      cpu: { shares: infraCpuShares, ...(infra.cpuset === "" ? {} : { cpus: infra.cpuset }) },
      devices: buildDevices({ devices: [], hostDevices: privileged ? [] : undefined, owner: undefined }).rules,
    },
  };
}

/** The infra container makes the PID namespace that a pod shares, so it joins all others but has its own. */
function infraNamespaces({ host, sandbox }: SandboxSpecInputs): OciNamespace[] {
  const { namespaceOptions, privileged } = sandbox.request.linux.securityContext;
  return buildNamespaces({
    options: { ...namespaceOptions, pid: namespaceOptions.pid === "node" ? "node" : "container" },
    sandbox: sandbox.namespaces,
    privileged,
    cgroupVersion: host.cgroup.version,
  });
}
