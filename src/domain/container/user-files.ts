import type { ContainerDrivers } from "./container-drivers.ts";
import type { BuiltSpec } from "./oci-spec/build-container-spec.ts";
import type { ContainerSpecInputs } from "./oci-spec/spec-inputs.ts";
import { groupWithPrimary, passwdWithUser } from "./oci-spec/user.ts";

/**
 * Gives a container whose user or group the image does not know a passwd and group file that do, mounted over the image's:
 * many programs fail for a user without a name. Files that the request mounts itself stay as they are.
 */
export async function provideUserFiles(
  drivers: ContainerDrivers,
  containerId: string,
  inputs: ContainerSpecInputs,
  built: BuiltSpec,
): Promise<void> {
  const { passwd, group } = inputs.container.rootfs;
  const contents = {
    passwd: passwd === "" ? undefined : passwdWithUser(passwd, built.user, built.spec.process.cwd),
    group: group === "" ? undefined : groupWithPrimary(group, built.user),
  };
  for (const [name, content] of Object.entries(contents)) {
    const destination = `/etc/${name}`;
    if (content === undefined || built.spec.mounts.some((mount) => mount.destination === destination)) continue;
    const bundle = await drivers.bundles.create(containerId, { [name]: content });
    built.spec.mounts.push({
      destination,
      type: "bind",
      source: `${bundle}/${name}`,
      options: ["bind", "rprivate", "rw", "nosuid", "nodev", "noexec"],
    });
  }
}
