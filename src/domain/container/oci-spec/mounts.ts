import { isAtOrBelow } from "#lib/is-at-or-below.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import { type DefaultMountInputs, defaultMounts } from "./default-mounts.ts";
import { type FoundMount, type VolumeInputs, volumeMount } from "./volume-mount.ts";

export interface MountInputs extends VolumeInputs {
  defaults: DefaultMountInputs;
  /** Files that berth makes for the container: resolv.conf, hostname, hosts, the pod's /dev/shm, ... */
  provided: readonly OciMount[];
  volumes: readonly FoundMount[];
}

export interface MountResult {
  mounts: OciMount[];
  /** `linux.rootfsPropagation`; volumes that propagate need the root to do so as well. */
  rootfsPropagation: "rshared" | "rslave" | undefined;
}

/** A volume at one of these brings the whole tree with it: nothing is mounted over the host's /dev/pts or /sys/fs/cgroup. */
const wholeTrees = ["/dev", "/sys"];

/**
 * All mounts, parents before what lies in them. At one place a volume wins over a provided file, and that over a default.
 * @throws DomainError as `volumeMount`
 */
export function buildMounts(inputs: MountInputs): MountResult {
  const volumes = inputs.volumes.map((found) => volumeMount(found, inputs));
  const covered = wholeTrees.filter((tree) => volumes.some((volume) => volume.destination === tree));
  const base = [...defaultMounts(inputs.defaults), ...inputs.provided].filter(
    (mount) => !covered.some((tree) => isAtOrBelow(mount.destination, tree)),
  );
  const byDestination = new Map<string, OciMount>();
  for (const mount of [...base, ...volumes]) byDestination.set(mount.destination, mount);
  return {
    // sort is stable, so that among equals the order above stays.
    mounts: [...byDestination.values()].sort((a, b) => depth(a.destination) - depth(b.destination)),
    rootfsPropagation: rootfsPropagation(volumes),
  };
}

function depth(destination: string): number {
  return destination.split("/").filter((part) => part !== "").length;
}

function rootfsPropagation(volumes: readonly OciMount[]): MountResult["rootfsPropagation"] {
  const options = new Set(volumes.flatMap((volume) => volume.options ?? []));
  if (options.has("rshared")) return "rshared";
  return options.has("rslave") ? "rslave" : undefined;
}
