import { DomainError } from "#errors/domain-error.ts";
import type { IdMapping, SandboxRequest, UserNamespace } from "./request.ts";

/**
 * The user namespace that a pod asks for; undefined when it uses the host's.
 * @throws DomainError invalid-argument for maps that the CRI does not allow: exactly one range, which maps 0, the same for users and groups
 */
export function requestedUserNamespace(request: SandboxRequest): UserNamespace | undefined {
  const { userns } = request.linux.securityContext.namespaceOptions;
  if (userns === undefined || userns.mode === "node") return undefined;
  const pod = `pod ${request.metadata.namespace}/${request.metadata.name}`;
  if (userns.mode !== "pod") {
    throw new DomainError(
      "invalid-argument",
      `${pod}: a user namespace belongs to the pod or the node, not to the ${userns.mode}`,
    );
  }
  checkMap(pod, "uids", userns.uids);
  checkMap(pod, "gids", userns.gids);
  return userns;
}

function checkMap(pod: string, field: string, map: readonly IdMapping[]): void {
  const [range] = map;
  if (map.length !== 1 || range === undefined) {
    throw new DomainError(
      "invalid-argument",
      `${pod}: userns_options.${field} has ${map.length} ranges; exactly one is supported`,
    );
  }
  if (range.containerId !== 0) {
    throw new DomainError(
      "invalid-argument",
      `${pod}: userns_options.${field} begins at ${range.containerId}; a container has to have a root, which is 0`,
    );
  }
  if (range.length <= 0)
    throw new DomainError("invalid-argument", `${pod}: userns_options.${field} has the length ${range.length}`);
}
