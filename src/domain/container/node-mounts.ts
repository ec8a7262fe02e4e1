import path from "node:path";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";
import type { ContainerRequest } from "./request.ts";

/** By this file programs see that they run in a container. */
const containerEnvFile = ".containerenv";
const containerEnvPlace = "/run/.containerenv";

/**
 * What the node gives every container besides the pod's files: default mounts, its time zone, /run/.containerenv. The files are
 * in the container's bundle and go with it. `label` is the SELinux label of the container's files, empty for none.
 */
export async function nodeMounts(
  drivers: Pick<ContainerDrivers, "bundles" | "defaultMounts" | "security" | "settings">,
  sandbox: Sandbox,
  { id, request }: Pick<Container, "id" | "request">,
  label: string,
): Promise<OciMount[]> {
  const { bundles, defaultMounts, security, settings } = drivers;
  const bundle = await bundles.create(id, { [containerEnvFile]: "" });
  const copies = await defaultMounts.copyTo(path.join(bundle, "default-mounts"), rootOf(sandbox));
  const own = [
    ...copies,
    ...(isMountedOver(request)
      ? []
      : [{ source: path.join(bundle, containerEnvFile), destination: containerEnvPlace }]),
  ];
  if (label !== "") for (const { source } of own) await security.relabel(source, label, { shared: false });
  return [
    ...own.map(({ source, destination }) => bind(source, destination, "rw")),
    ...(settings.timezoneFile === undefined ? [] : [bind(settings.timezoneFile, "/etc/localtime", "ro")]),
  ];
}

function bind(source: string, destination: string, access: "ro" | "rw"): OciMount {
  return { destination, type: "bind", source, options: ["bind", "rprivate", "nodev", "nosuid", "noexec", access] };
}

/** A place for the file would be made in a volume, where it does not belong. */
function isMountedOver({ mounts }: Pick<ContainerRequest, "mounts">): boolean {
  return mounts.some(({ containerPath }) => ["/run", containerEnvPlace].includes(path.posix.join(containerPath, ".")));
}

/** The container's root in the host's numbers. */
function rootOf(sandbox: Sandbox): { uid: number; gid: number } {
  const { userns } = sandbox.request.linux.securityContext.namespaceOptions;
  const host = (maps: readonly { containerId: number; hostId: number }[] | undefined): number =>
    maps?.find(({ containerId }) => containerId === 0)?.hostId ?? 0;
  return { uid: host(userns?.uids), gid: host(userns?.gids) };
}
