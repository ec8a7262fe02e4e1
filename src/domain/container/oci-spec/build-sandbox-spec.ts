import { cgroupsPath } from "#domain/sandbox/cgroups-path.ts";
import { selinuxLabels } from "#domain/sandbox/selinux-labels.ts";
import type { HostFacts, SelinuxLabels } from "#drivers/security/index.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import type { OciLinux, OciMount, OciNamespace, OciProcess, OciSpec } from "#spec/oci-runtime.ts";
import { sandboxAnnotations } from "./annotations.ts";
import { apparmorProfile } from "./apparmor.ts";
import { type BuiltSpec, ociVersion } from "./build-container-spec.ts";
import { buildConfinement, type Confinement } from "./confinement.ts";
import { buildDevices } from "./devices.ts";
import { buildMounts } from "./mounts.ts";
import { buildNamespaces, hasUserNamespace, userNamespaceMaps } from "./namespaces.ts";
import { processArgs, processCwd, processEnv } from "./process.ts";
import { oomScoreAdj } from "./resources.ts";
import type { RootfsFacts, SandboxFacts, SpecPolicy } from "./spec-inputs.ts";
import { type ResolvedUser, resolveUser } from "./user.ts";

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

/** What several sections of config.json need to know. */
interface Parts extends Confinement {
  user: ResolvedUser;
  labels: SelinuxLabels;
}

/**
 * config.json of the infra container: a read-only root, default capabilities, no volumes. Pure like `buildContainerSpec`.
 * @throws DomainError as the sections do
 */
export function buildSandboxSpec(inputs: SandboxSpecInputs): BuiltSpec {
  const { host, policy, sandbox, infra } = inputs;
  const parts = buildParts(inputs);
  const { user, seccomp, labels } = parts;
  const oom = oomScoreAdj(infraOomScoreAdj, {
    oomScoreAdj: host.oomScoreAdj,
    canLower: host.capabilities.effective.includes("CAP_SYS_RESOURCE"),
  });
  const spec: OciSpec = {
    ociVersion,
    root: { path: infra.rootfs.path, readonly: true },
    ...(sandbox.namespaces.uts === undefined || sandbox.hostname === "" ? {} : { hostname: sandbox.hostname }),
    mounts: infraMounts(inputs),
    process: infraProcess(inputs, parts, oom.value),
    linux: infraLinux(inputs, parts),
    annotations: sandboxAnnotations(sandbox, policy, {
      containerName: infra.name,
      createdAt: infra.createdAt,
      rootfsPath: infra.rootfs.path,
      seccompName: seccomp.name,
    }),
  };
  const warnings = [...parts.warnings, ...[oom.warning ?? []].flat()];
  return { spec, warnings, user, labels, seccompName: seccomp.name };
}

function buildParts({ host, policy, sandbox, infra }: SandboxSpecInputs): Parts {
  const { securityContext } = sandbox.request.linux;
  const confinement = buildConfinement(
    { host, policy },
    {
      capabilities: { request: { add: [], drop: [], addAmbient: [] }, privileged: false },
      seccomp: {
        profile: securityContext.seccomp,
        localhostText: infra.seccompText,
        privileged: securityContext.privileged,
      },
    },
  );
  const labels = selinuxLabels({
    facts: host.selinux,
    options: securityContext.selinux,
    namespaces: securityContext.namespaceOptions,
    privileged: securityContext.privileged,
    hostNetworkDisables: policy.hostNetworkDisablesSelinux,
    level: sandbox.selinuxLevel,
    kind: policy.runtimeKind === "vm" ? "kvm" : "container",
  });
  return { ...confinement, user: infraUser({ host, policy, sandbox, infra }), labels };
}

function infraUser({ sandbox, infra }: SandboxSpecInputs): ResolvedUser {
  const { securityContext } = sandbox.request.linux;
  return resolveUser({
    runAsUser: securityContext.runAsUser,
    runAsUsername: "",
    // The kubelet may set a group alone for the pod, where that is an error for a container.
    runAsGroup: securityContext.runAsUser === undefined ? undefined : securityContext.runAsGroup,
    supplementalGroups: securityContext.supplementalGroups,
    supplementalGroupsPolicy: securityContext.supplementalGroupsPolicy,
    imageUser: infra.imageConfig.config?.User ?? "",
    ...infra.rootfs,
  });
}

function infraProcess({ host, policy, sandbox, infra }: SandboxSpecInputs, parts: Parts, oomScore: number): OciProcess {
  const image = infra.imageConfig.config ?? {};
  const { apparmor, privileged } = sandbox.request.linux.securityContext;
  const profile = apparmorProfile({
    profile: apparmor,
    privileged,
    enabled: host.apparmor.enabled,
    defaultProfile: policy.apparmorProfile,
  });
  const { uid, gid, additionalGids } = parts.user;
  const env = { request: [], image, defaults: [], hostname: sandbox.hostname, home: undefined, tty: false };
  return {
    terminal: false,
    user: { uid, gid, additionalGids },
    args: processArgs({ command: infra.command, args: [] }, image),
    env: processEnv(env),
    cwd: processCwd("", image),
    capabilities: parts.capabilities.capabilities,
    noNewPrivileges: true,
    oomScoreAdj: oomScore,
    ...(profile === undefined ? {} : { apparmorProfile: profile }),
    ...(parts.labels.processLabel === "" ? {} : { selinuxLabel: parts.labels.processLabel }),
  };
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

function infraLinux(inputs: SandboxSpecInputs, { seccomp, labels }: Parts): OciLinux {
  const { policy, sandbox, infra } = inputs;
  const { namespaceOptions, privileged } = sandbox.request.linux.securityContext;
  const maps = userNamespaceMaps(namespaceOptions);
  return {
    namespaces: infraNamespaces(inputs),
    ...(maps.uids.length === 0 ? {} : { uidMappings: maps.uids, gidMappings: maps.gids }),
    cgroupsPath: cgroupsPath(policy.cgroupManager, sandbox.request.linux.cgroupParent, sandbox.id),
    devices: [],
    resources: {
      cpu: { shares: infraCpuShares, ...(infra.cpuset === "" ? {} : { cpus: infra.cpuset }) },
      devices: buildDevices({ devices: [], hostDevices: privileged ? [] : undefined, owner: undefined }).rules,
    },
    ...(seccomp.seccomp === undefined ? {} : { seccomp: seccomp.seccomp }),
    ...(labels.mountLabel === "" ? {} : { mountLabel: labels.mountLabel }),
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
