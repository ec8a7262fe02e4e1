import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  IdMapping,
  NamespaceOptions,
  SandboxSecurityContext,
  SecurityProfile,
  SelinuxOptions,
  UserNamespace,
} from "#domain/sandbox/request.ts";
import {
  SecurityProfile_ProfileType as ProfileType,
  type IDMapping as WireIdMapping,
  type LinuxContainerSecurityContext,
  type LinuxSandboxSecurityContext,
  type NamespaceOption,
  type NamespaceOptionSchema,
  type SecurityProfile as WireProfile,
  type SELinuxOption,
  type UserNamespace as WireUserNamespace,
} from "../gen/runtime/v1/api_pb.ts";
import { groupsPolicies, namespaceModes } from "./enums.ts";
import { invalid, nonEmpty, userOrGroupId } from "./required.ts";

/**
 * What the security contexts of sandboxes and containers have in common.
 * @throws DomainError invalid-argument naming the field below `field` that is wrong
 */
export function sharedContextFromWire(
  context: LinuxSandboxSecurityContext | LinuxContainerSecurityContext,
  field: string,
): Omit<SandboxSecurityContext, "apparmor"> {
  const { runAsUser, runAsGroup, seccomp, seccompProfilePath } = context;
  return {
    namespaceOptions: namespacesFromWire(context.namespaceOptions, `${field}.namespace_options`),
    selinux: selinuxFromWire(context.selinuxOptions),
    runAsUser: runAsUser && userOrGroupId(runAsUser.value, `${field}.run_as_user`),
    runAsGroup: runAsGroup && userOrGroupId(runAsGroup.value, `${field}.run_as_group`),
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups.map((id) => userOrGroupId(id, `${field}.supplemental_groups`)),
    supplementalGroupsPolicy: groupsPolicies.toDomain(
      context.supplementalGroupsPolicy,
      `${field}.supplemental_groups_policy`,
    ),
    privileged: context.privileged,
    seccomp: profileFromWire(seccomp, `${field}.seccomp`, seccompProfilePath, `${field}.seccomp_profile_path`),
  };
}

/** A missing NamespaceOption shares everything with the pod, which is what its zero values say. */
function namespacesFromWire(options: NamespaceOption | undefined, field: string): NamespaceOptions {
  if (options === undefined) return { network: "pod", pid: "pod", ipc: "pod", targetId: "", userns: undefined };
  const pid = namespaceModes.toDomain(options.pid, `${field}.pid`);
  return {
    network: namespaceModes.toDomain(options.network, `${field}.network`),
    pid,
    ipc: namespaceModes.toDomain(options.ipc, `${field}.ipc`),
    targetId: pid === "target" ? nonEmpty(options.targetId, `${field}.target_id`) : "",
    userns: options.usernsOptions && userNamespace(options.usernsOptions, `${field}.userns_options`),
  };
}

function userNamespace({ mode, uids, gids }: WireUserNamespace, field: string): UserNamespace {
  const word = namespaceModes.toDomain(mode, `${field}.mode`);
  if (word !== "pod" && word !== "node") throw invalid(`${field}.mode`, "is neither POD nor NODE");
  return { mode: word, uids: uids.map(idMapping), gids: gids.map(idMapping) };
}

/** IDMapping without what protobuf adds. */
export function idMapping({ hostId, containerId, length }: WireIdMapping): IdMapping {
  return { hostId, containerId, length };
}

/** NamespaceOption of a status. */
export function namespacesToWire(options: NamespaceOptions): MessageInitShape<typeof NamespaceOptionSchema> {
  const { userns } = options;
  return {
    network: namespaceModes.toWire(options.network),
    pid: namespaceModes.toWire(options.pid),
    ipc: namespaceModes.toWire(options.ipc),
    targetId: options.targetId,
    usernsOptions: userns && { mode: namespaceModes.toWire(userns.mode), uids: userns.uids, gids: userns.gids },
  };
}

function selinuxFromWire(options: SELinuxOption | undefined): SelinuxOptions | undefined {
  if (options === undefined) return undefined;
  const { user, role, type, level } = options;
  return { user, role, type, level };
}

/**
 * A SecurityProfile, or else the deprecated field that it replaced: `runtime/default` (`docker/default` in old manifests),
 * `unconfined` or `localhost/<path or name>`.
 */
export function profileFromWire(
  profile: WireProfile | undefined,
  field: string,
  deprecated: string,
  deprecatedField: string,
): SecurityProfile {
  if (profile === undefined) return deprecatedProfile(deprecated, deprecatedField);
  switch (profile.profileType) {
    case ProfileType.RuntimeDefault:
      return { type: "runtime-default" };
    case ProfileType.Unconfined:
      return { type: "unconfined" };
    case ProfileType.Localhost:
      return { type: "localhost", localhostRef: nonEmpty(profile.localhostRef, `${field}.localhost_ref`) };
    default:
      throw invalid(`${field}.profile_type`, `has the unknown value ${profile.profileType}`);
  }
}

const localhostPrefix = "localhost/";

function deprecatedProfile(value: string, field: string): SecurityProfile {
  if (value === "") return { type: "unset" };
  if (value === "runtime/default" || value === "docker/default") return { type: "runtime-default" };
  if (value === "unconfined") return { type: "unconfined" };
  if (value.startsWith(localhostPrefix) && value.length > localhostPrefix.length)
    return { type: "localhost", localhostRef: value.slice(localhostPrefix.length) };
  throw invalid(field, `is none of runtime/default, unconfined and localhost/<profile>: ${JSON.stringify(value)}`);
}
