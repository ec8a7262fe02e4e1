import { DomainError } from "#errors/domain-error.ts";
import type { IdMapping, NamespaceOptions } from "#domain/sandbox/request.ts";
import type { OciIdMapping, OciNamespace } from "#spec/oci-runtime.ts";

/** Paths of the pod's pinned namespaces; a missing one is not shared by a file (the host's, or none yet). */
export interface SandboxNamespaces {
  network?: string | undefined;
  ipc?: string | undefined;
  uts?: string | undefined;
  user?: string | undefined;
  /** `/proc/<pid of the infra process>/ns/pid`, when the pod shares one. */
  pid?: string | undefined;
}

export interface NamespaceInputs {
  options: NamespaceOptions;
  sandbox: SandboxNamespaces;
  /** PID namespace of the container that `targetId` names. */
  targetPidPath?: string | undefined;
  privileged: boolean;
  cgroupVersion: 1 | 2;
}

/**
 * The namespaces section. A missing type is the host's. The UTS namespace always belongs to the pod, for a hostname of its own
 * even on the host's network.
 * @throws DomainError failed-precondition when the namespace to join does not exist
 */
export function buildNamespaces(inputs: NamespaceInputs): OciNamespace[] {
  const { options, sandbox } = inputs;
  const namespaces: OciNamespace[] = [{ type: "mount" }];
  const pid = pidNamespace(inputs);
  if (pid !== undefined) namespaces.push(pid);
  if (options.network !== "node") namespaces.push(joined("network", sandbox.network));
  if (options.ipc !== "node") namespaces.push(joined("ipc", sandbox.ipc));
  if (sandbox.uts !== undefined) namespaces.push({ type: "uts", path: sandbox.uts });
  if (hasUserNamespace(options)) namespaces.push(joined("user", sandbox.user));
  // With cgroup v1 a cgroup namespace hides nothing that the mounts do not, and old runtimes fail on it.
  if (inputs.cgroupVersion === 2 && !inputs.privileged) namespaces.push({ type: "cgroup" });
  return namespaces;
}

function pidNamespace(inputs: NamespaceInputs): OciNamespace | undefined {
  switch (inputs.options.pid) {
    case "node":
      return undefined;
    case "container":
      return { type: "pid" };
    case "pod":
      return joined("pid", inputs.sandbox.pid);
    case "target": {
      if (inputs.targetPidPath === undefined)
        throw new DomainError(
          "failed-precondition",
          `the PID namespace of the target container ${inputs.options.targetId} is not there`,
        );
      return { type: "pid", path: inputs.targetPidPath };
    }
  }
}

function joined(type: "network" | "ipc" | "user" | "pid", path: string | undefined): OciNamespace {
  if (path === undefined)
    throw new DomainError("failed-precondition", `the pod has no ${type} namespace that the container could join`);
  return { type, path };
}

/** True when the pod has a user namespace of its own. */
export function hasUserNamespace(options: NamespaceOptions): boolean {
  return options.userns !== undefined && options.userns.mode === "pod";
}

/** The maps of the pod's user namespace as config.json has them; empty without one. */
export function userNamespaceMaps(options: NamespaceOptions): { uids: OciIdMapping[]; gids: OciIdMapping[] } {
  if (options.userns === undefined || !hasUserNamespace(options)) return { uids: [], gids: [] };
  const { uids, gids } = options.userns;
  if (uids.length === 0 || gids.length === 0)
    throw new DomainError("invalid-argument", "a pod with a user namespace needs id maps for users and for groups");
  return { uids: uids.map(ociIdMapping), gids: gids.map(ociIdMapping) };
}

/** @throws DomainError invalid-argument for an empty map */
export function ociIdMapping(map: IdMapping): OciIdMapping {
  if (map.length <= 0) throw new DomainError("invalid-argument", "an id map has the length 0");
  return { containerID: map.containerId, hostID: map.hostId, size: map.length };
}
