import path from "node:path";
import type { ImageContent } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { VolumeFile } from "#drivers/image-volumes/index.ts";
import type { RootView } from "#drivers/storage/index.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import type { IdMapping } from "#domain/sandbox/request.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";
import type { FoundMount } from "./oci-spec/volume-mount.ts";
import { isAtOrBelow } from "./oci-spec/volume-mount.ts";
import type { ContainerRequest, MountRequest } from "./request.ts";

/** First word by which the kubelet tells these failures from others. */
const kubeletWord = "ImageVolumeMountFailed";

/** Places that are the runtime's: what an image declares there is not followed. */
const reservedPlaces = ["/proc", "/sys", "/dev"];

/** Each costs a directory or a mount; images come from strangers. */
const mostDeclaredVolumes = 1000;

/** What of an image volume is known before anything is mounted; in the order of the request's mounts, with gaps for the others. */
export type VolumeImages = readonly (ImageContent | undefined)[];

/**
 * Finds the images of all image volumes and asks the signature policy whether this pod may have them.
 * @throws DomainError image-volume-mount-failed
 */
export async function volumeImages(
  drivers: Pick<ContainerDrivers, "images">,
  sandbox: Pick<Sandbox, "request">,
  request: ContainerRequest,
): Promise<VolumeImages> {
  const { namespace } = sandbox.request.metadata;
  return Promise.all(
    request.mounts.map(async (mount) => {
      if (mount.image === undefined) return undefined;
      try {
        const content = drivers.images.content(mount.image.image);
        await drivers.images.allow(mount.image, namespace);
        return content;
      } catch (error) {
        throw mountFailed(mount, error);
      }
    }),
  );
}

/** Ids of the images that a container's volumes keep in use. */
export function volumeImageIds(images: VolumeImages): string[] {
  return [...new Set(images.flatMap((image) => image?.id ?? []))];
}

type VolumeDrivers = Pick<ContainerDrivers, "imageVolumes" | "storage" | "security">;

/** An image volume of a container and how its files look there. */
interface VolumePlace {
  containerId: string;
  /** Number of the mount in the request. */
  volume: number;
  view: RootView;
}

/**
 * Mounts the content of an image, or the files of an artifact, for one mount of the request. Undone by `imageVolumes.remove`.
 * @throws DomainError image-volume-mount-failed naming the image and the place
 */
export async function mountImageVolume(
  drivers: VolumeDrivers,
  place: VolumePlace,
  mount: MountRequest,
  image: ImageContent,
): Promise<FoundMount> {
  const { containerId, volume } = place;
  try {
    const content = await mountContent(drivers, place, image);
    const { imageSubPath } = mount;
    const source =
      path.posix.join("/", imageSubPath) === "/"
        ? content
        : await drivers.imageVolumes.bindSubPath(containerId, volume, content, imageSubPath);
    // The content has the ids of the pod already; and an overlay could not be idmapped.
    const request = { ...mount, uidMappings: [], gidMappings: [] };
    return { request, source: { path: source, isDirectory: true, mountPoint: "", propagation: "private" } };
  } catch (error) {
    throw mountFailed(mount, error);
  }
}

async function mountContent(
  drivers: VolumeDrivers,
  { containerId, volume, view }: VolumePlace,
  image: ImageContent,
): Promise<string> {
  const { imageVolumes, storage } = drivers;
  if (image.files !== undefined) return bindArtifact(drivers, { containerId, volume, view }, image.files);
  const target = await imageVolumes.mountPoint(containerId, volume);
  await storage.mountImage(image.chainIds, target, view);
  return target;
}

/** A bind mount has no label of its own. The files get one that all containers may read, since other pods may have the same artifact. */
async function bindArtifact(
  { imageVolumes, security }: VolumeDrivers,
  { containerId, volume, view: { mountLabel, idMap } }: VolumePlace,
  files: readonly VolumeFile[],
): Promise<string> {
  const label = async (place: string): Promise<void> => {
    if (mountLabel !== undefined) await security.relabel(place, mountLabel, { shared: true });
  };
  for (const { path: blob } of files) await label(blob);
  return imageVolumes.bindFiles(containerId, volume, files, { label, ...(idMap === undefined ? {} : { idMap }) });
}

function mountFailed(mount: MountRequest, cause: unknown): DomainError {
  const about = `${kubeletWord}: image ${mount.image?.image ?? ""} cannot be mounted at ${mount.containerPath}`;
  return new DomainError("image-volume-mount-failed", `${about}: ${messageOf(cause)}`, { cause });
}

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
  { imageVolumes }: Pick<ContainerDrivers, "imageVolumes">,
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
  drivers: Pick<ContainerDrivers, "imageVolumes" | "rootfs" | "settings">,
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
