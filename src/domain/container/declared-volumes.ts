import path from "node:path";
import type { IdMapping } from "#domain/sandbox/request.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { ImageVolumes } from "#drivers/image-volumes/index.ts";
import type { RootfsAccess } from "#drivers/rootfs/index.ts";
import { isAtOrBelow } from "#lib/is-at-or-below.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import type { Container } from "./container.ts";
import type { ContainerRequest } from "./request.ts";

/** Places that are the runtime's: what an image declares there is not followed. */
const reservedPlaces = ["/proc", "/sys", "/dev"];

/** Each costs a directory or a mount; images come from strangers. */
const mostDeclaredVolumes = 1000;

/** What becomes of the volumes that an image declares: `image_volumes` of the configuration. */
export type DeclaredVolumesMode = "mkdir" | "bind" | "ignore";

/** Where an image wants volumes, when they are treated as `wanted`. Clean absolute paths, parents before children. */
function declaredVolumes(config: ImageConfig, mode: DeclaredVolumesMode, wanted: DeclaredVolumesMode): string[] {
  if (mode !== wanted) return [];
  const places = Object.keys(config.config?.Volumes ?? {});
  if (places.length > mostDeclaredVolumes) {
    const problem = `the image declares ${places.length} volumes, more than ${mostDeclaredVolumes}`;
    throw new DomainError("invalid-argument", problem);
  }
  return places
    .map((place) => path.posix.join("/", place).replace(/(.)\/$/, "$1"))
    .filter((place) => place !== "/" && !reservedPlaces.some((reserved) => isAtOrBelow(place, reserved)))
    .sort();
}

/** The bind mounts for volumes that the container's own image declares; what the request mounts in the same place wins. */
export function declaredVolumeMounts(
  { imageVolumes }: { imageVolumes: ImageVolumes },
  containerId: string,
  config: ImageConfig,
  mode: DeclaredVolumesMode,
  request: ContainerRequest,
): OciMount[] {
  return declaredVolumes(config, mode, "bind").map((destination, index) => ({
    destination,
    type: "bind",
    source: imageVolumes.scratchPath(containerId, request.mounts.length + index),
    options: ["bind", "rprivate", "rw"],
  }));
}

/**
 * Makes the directories of declared volumes: in the root, or those that are bound there. They belong to the container's user, who could
 * write into nothing else of an image that is root's.
 * @throws DomainError invalid-argument when the image has something else in such a place
 */
export async function makeDeclaredVolumes(
  drivers: { imageVolumes: ImageVolumes; rootfs: RootfsAccess; settings: { declaredVolumes: DeclaredVolumesMode } },
  sandbox: Sandbox,
  { draft, rootfs, owner }: { draft: Container; rootfs: string; owner: { uid: number; gid: number } },
  config: ImageConfig,
): Promise<void> {
  const mode = drivers.settings.declaredVolumes;
  for (const place of declaredVolumes(config, mode, "mkdir")) {
    try {
      await drivers.rootfs.ensureDirectory(rootfs, place, owner);
    } catch (error) {
      const problem = `the volume ${place} that the image declares cannot be made: ${messageOf(error)}`;
      throw new DomainError("invalid-argument", problem, { cause: error });
    }
  }
  for (const index of declaredVolumes(config, mode, "bind").keys())
    await drivers.imageVolumes.makeScratch(draft.id, draft.request.mounts.length + index, onHost(sandbox, owner));
}

/** Ids on the host of a user in the pod's user namespace. */
function onHost(sandbox: Sandbox, { uid, gid }: { uid: number; gid: number }): { uid: number; gid: number } {
  const { userns } = sandbox.request.linux.securityContext.namespaceOptions;
  const mapped = (id: number, maps: readonly IdMapping[] = []): number => {
    const found = maps.find(({ containerId, length }) => id >= containerId && id < containerId + length);
    return found === undefined ? id : found.hostId + id - found.containerId;
  };
  return { uid: mapped(uid, userns?.uids), gid: mapped(gid, userns?.gids) };
}
