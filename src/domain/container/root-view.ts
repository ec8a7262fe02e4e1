import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { mountLabel } from "#domain/sandbox/selinux-labels.ts";
import type { RootView } from "#drivers/storage/index.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { ContainerRequest } from "./request.ts";

/** How the pod's user namespace and label show in its roots and image volumes; of the pause process's without a request. */
export function rootView(
  drivers: Pick<ContainerDrivers, "security">,
  sandbox: Sandbox,
  request: Pick<ContainerRequest, "linux"> | undefined,
): RootView {
  const { userns } = sandbox.request.linux.securityContext.namespaceOptions;
  const { user } = sandbox.namespaces;
  const label = filesLabel(drivers, sandbox, request);
  return {
    ...(label === "" ? {} : { mountLabel: label }),
    ...(userns === undefined || user === undefined
      ? {}
      : { idMap: { uids: userns.uids, gids: userns.gids, userNamespace: user } }),
  };
}

/** SELinux label of a container's files, or of the pause process's without a request; empty for none. */
export function filesLabel(
  drivers: Pick<ContainerDrivers, "security">,
  sandbox: Sandbox,
  request: Pick<ContainerRequest, "linux"> | undefined,
): string {
  const options = request?.linux.securityContext.selinux ?? sandbox.request.linux.securityContext.selinux;
  return mountLabel(drivers.security.facts.selinux, options, sandbox.selinuxLevel);
}
