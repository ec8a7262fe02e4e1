import path from "node:path";
import type { ImageContent } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { VolumeFile } from "#drivers/image-volumes/index.ts";
import type { RootView } from "#drivers/storage/index.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { FoundMount } from "./oci-spec/volume-mount.ts";
import type { ContainerRequest, MountRequest } from "./request.ts";

/** First word by which the kubelet tells these failures from others. */
const kubeletWord = "ImageVolumeMountFailed";

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
