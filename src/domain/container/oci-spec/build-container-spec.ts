import { cgroupsPath } from "#domain/sandbox/cgroups-path.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import { selinuxLabels } from "#domain/sandbox/selinux-labels.ts";
import type { SelinuxLabels } from "#drivers/security/index.ts";
import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { requestAnnotation, requestedBy } from "#spec/annotations.ts";
import type { OciLinux, OciProcess, OciSpec } from "#spec/oci-runtime.ts";
import { noResources } from "../no-resources.ts";
import { containerAnnotations, usersAnnotations } from "./annotations.ts";
import { apparmorProfile } from "./apparmor.ts";
import { applyCdiEdits } from "./cdi-edits.ts";
import { buildConfinement, type Confinement } from "./confinement.ts";
import { runsSystemd } from "./default-mounts.ts";
import { buildDevices } from "./devices.ts";
import { gomaxprocs } from "./gomaxprocs.ts";
import { buildMaskedPaths } from "./masked.ts";
import { buildMounts, type MountResult } from "./mounts.ts";
import { buildNamespaces, hasUserNamespace, userNamespaceMaps } from "./namespaces.ts";
import { processArgs, processCwd, processEnv } from "./process.ts";
import { buildResources, oomScoreAdj } from "./resources.ts";
import { buildRlimits } from "./rlimits.ts";
import type { ContainerSpecInputs } from "./spec-inputs.ts";
import { unifiedByAnnotation } from "./unified-annotation.ts";
import { parseUmask, type ResolvedUser, resolveUser } from "./user.ts";

/** Version of the runtime specification that config.json says it follows: the newest that runc 1.1 knows. */
export const ociVersion = "1.0.2";

export interface BuiltSpec {
  spec: OciSpec;
  /** What could not be given as asked, each a sentence for the log. */
  warnings: string[];
  user: ResolvedUser;
  labels: SelinuxLabels;
  /** `RuntimeDefault`, `Unconfined`, `Localhost/...`. */
  seccompName: string;
}

/** What several sections of config.json need to know. */
interface Parts extends Confinement {
  args: string[];
  user: ResolvedUser;
  labels: SelinuxLabels;
  mounts: MountResult;
  /** Those of the pod and the container that are allowed to have an effect. */
  annotations: Record<string, string>;
}

/**
 * config.json of a container. Pure: all that depends on the machine comes in.
 * @throws DomainError as the sections do, mostly invalid-argument
 */
export function buildContainerSpec(inputs: ContainerSpecInputs): BuiltSpec {
  const { container, sandbox, policy } = inputs;
  const { securityContext } = container.request.linux;
  const parts = buildParts(inputs);
  const { mounts, seccomp, user, labels, warnings } = parts;
  const spec: OciSpec = {
    ociVersion,
    root: {
      path: container.rootfs.path,
      readonly: securityContext.readonlyRootfs || (policy.readOnly && !securityContext.privileged),
    },
    ...(sandbox.namespaces.uts === undefined || sandbox.hostname === "" ? {} : { hostname: sandbox.hostname }),
    mounts: mounts.mounts,
    process: buildProcess(inputs, parts),
    ...(container.hooks === undefined ? {} : { hooks: container.hooks }),
    linux: buildLinux(inputs, parts),
    annotations: containerAnnotations(inputs, seccomp.name),
  };
  const complete = container.cdi === undefined ? spec : applyCdiEdits(spec, container.cdi);
  return { spec: complete, warnings, user, labels, seccompName: seccomp.name };
}

function buildParts(inputs: ContainerSpecInputs): Parts {
  const { policy, container } = inputs;
  const { securityContext } = container.request.linux;
  const image = container.image.config.config ?? {};
  const args = processArgs(container.request, image);
  const annotations = allowedAnnotations(usersAnnotations(inputs), policy.allowedAnnotations);
  const confinement = buildConfinement(inputs, {
    capabilities: { request: securityContext.capabilities, privileged: securityContext.privileged },
    seccomp: {
      profile: securityContext.seccomp,
      localhostText: container.seccompText,
      privileged: securityContext.privileged,
    },
  });
  return {
    args,
    user: resolveUser({ ...securityContext, imageUser: image.User ?? "", ...container.rootfs }),
    ...confinement,
    labels: labelsOf(inputs, args),
    mounts: mountsOf(inputs, args, annotations),
    annotations,
  };
}

function labelsOf({ host, policy, sandbox, container }: ContainerSpecInputs, args: readonly string[]): SelinuxLabels {
  const { securityContext } = container.request.linux;
  return selinuxLabels({
    facts: host.selinux,
    options: securityContext.selinux ?? sandbox.request.linux.securityContext.selinux,
    namespaces: securityContext.namespaceOptions,
    privileged: securityContext.privileged,
    hostNetworkDisables: policy.hostNetworkDisablesSelinux,
    level: sandbox.selinuxLevel,
    kind: policy.runtimeKind === "vm" ? "kvm" : runsSystemd(args) ? "init" : "container",
  });
}

function mountsOf(
  inputs: ContainerSpecInputs,
  args: readonly string[],
  annotations: Readonly<Record<string, string>>,
): MountResult {
  const { host, policy, container } = inputs;
  const { privileged, namespaceOptions } = container.request.linux.securityContext;
  const systemd = runsSystemd(args);
  const writableByAnnotation = requestedBy(annotations, requestAnnotation.cgroupWritable) === "true";
  return buildMounts({
    defaults: {
      privileged,
      cgroupWritable: systemd || (writableByAnnotation && host.cgroup.version === 2),
      bindHostSysfs: hasUserNamespace(namespaceOptions) && namespaceOptions.network === "node",
      systemd,
      tmpfsForReadonlyRoot: policy.readOnly && !privileged,
    },
    provided: container.provided,
    volumes: container.volumes,
    features: policy.runtimeFeatures,
    storageRoots: policy.storageRoots,
  });
}

function buildProcess(inputs: ContainerSpecInputs, parts: Parts): OciProcess {
  const { host, policy, sandbox, container } = inputs;
  const { request } = container;
  const { securityContext } = request.linux;
  const image = container.image.config.config ?? {};
  const canRaise = host.capabilities.effective.includes("CAP_SYS_RESOURCE");
  const limits = buildRlimits(policy.defaultUlimits, { rlimits: host.rlimits, canRaise });
  const oom = oomScoreAdj(request.linux.resources?.oomScoreAdj ?? 0, {
    oomScoreAdj: host.oomScoreAdj,
    canLower: canRaise,
  });
  parts.warnings.push(...limits.warnings, ...(oom.warning === undefined ? [] : [oom.warning]));
  const profile = apparmorProfile({
    profile: securityContext.apparmor,
    privileged: securityContext.privileged,
    enabled: host.apparmor.enabled,
    defaultProfile: policy.apparmorProfile,
  });
  const umask = parseUmask(requestedBy(parts.annotations, requestAnnotation.umask));
  const { uid, gid, additionalGids, home } = parts.user;
  return {
    terminal: request.tty,
    user: { uid, gid, additionalGids, ...(umask === undefined ? {} : { umask }) },
    args: parts.args,
    env: processEnv({
      request: request.env,
      image,
      defaults: [...policy.defaultEnv, ...environmentOf(inputs, parts)],
      hostname: sandbox.hostname,
      home: container.rootfs.passwd === "" ? undefined : home,
      tty: request.tty,
    }),
    cwd: processCwd(request.workingDir, image),
    capabilities: parts.capabilities.capabilities,
    rlimits: limits.rlimits,
    noNewPrivileges: securityContext.noNewPrivs,
    oomScoreAdj: oom.value,
    ...(profile === undefined ? {} : { apparmorProfile: profile }),
    ...(parts.labels.processLabel === "" ? {} : { selinuxLabel: parts.labels.processLabel }),
  };
}

/** Variables that berth sets unless the image or the request does. */
function environmentOf({ policy, container }: ContainerSpecInputs, parts: Parts): string[] {
  const skips = requestedBy(parts.annotations, requestAnnotation.skipGomaxprocs) === "true";
  const threads = skips ? undefined : gomaxprocs(policy.minInjectedGomaxprocs, container.request.linux.resources);
  return [
    ...(runsSystemd(parts.args) ? ["container=crio"] : []),
    ...(threads === undefined ? [] : [`GOMAXPROCS=${threads}`]),
  ];
}

/** What the request asks for, with what its pod's annotation adds. */
function requestedResources({ container }: ContainerSpecInputs, parts: Parts): LinuxResources | undefined {
  const { resources } = container.request.linux;
  const unified = unifiedByAnnotation(parts.annotations, container.request.metadata.name);
  if (Object.keys(unified).length === 0) return resources;
  return { ...(resources ?? noResources), unified: { ...resources?.unified, ...unified } };
}

function buildLinux(inputs: ContainerSpecInputs, parts: Parts): OciLinux {
  const { host, policy, sandbox, container } = inputs;
  const { securityContext } = container.request.linux;
  const { privileged, namespaceOptions } = securityContext;
  const { uid, gid } = parts.user;
  const devices = buildDevices({
    devices: [...policy.additionalDevices, ...container.devices],
    hostDevices: privileged && !policy.privilegedWithoutHostDevices ? container.hostDevices : undefined,
    owner: policy.deviceOwnershipFromSecurityContext && uid !== 0 ? { uid, gid } : undefined,
  });
  const { resources, warnings } = buildResources({
    requested: requestedResources(inputs, parts),
    cgroup: host.cgroup,
    minMemoryBytes: policy.minMemoryBytes,
    pidsLimit: policy.pidsLimit,
  });
  parts.warnings.push(...warnings);
  const maps = userNamespaceMaps(namespaceOptions);
  return {
    namespaces: buildNamespaces({
      options: namespaceOptions,
      sandbox: sandbox.namespaces,
      targetPidPath: container.targetPidPath,
      privileged,
      cgroupVersion: host.cgroup.version,
    }),
    ...(maps.uids.length === 0 ? {} : { uidMappings: maps.uids, gidMappings: maps.gids }),
    devices: devices.devices,
    cgroupsPath: cgroupsPath(policy.cgroupManager, sandbox.request.linux.cgroupParent, container.id),
    resources: {
      ...resources,
      devices: devices.rules,
      ...(container.blockIo === undefined ? {} : { blockIO: container.blockIo }),
    },
    ...(parts.mounts.rootfsPropagation === undefined ? {} : { rootfsPropagation: parts.mounts.rootfsPropagation }),
    ...(parts.seccomp.seccomp === undefined ? {} : { seccomp: parts.seccomp.seccomp }),
    ...buildMaskedPaths(securityContext),
    ...(parts.labels.mountLabel === "" ? {} : { mountLabel: parts.labels.mountLabel }),
    ...(container.rdtClosId === undefined ? {} : { intelRdt: { closID: container.rdtClosId } }),
  };
}
