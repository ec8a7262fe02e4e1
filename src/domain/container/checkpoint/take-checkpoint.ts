import path from "node:path";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { newId } from "#lib/ids.ts";
import { checkpointImageAnnotations, checkpointPart } from "#spec/checkpoint.ts";
import type { ContainerDrivers } from "../container-drivers.ts";
import type { ContainerRequest, ImageSpec } from "../request.ts";
import { type ParsedCheckpoint, parseCheckpoint } from "./parsed-checkpoint.ts";
import { restoredRequest } from "./restored-request.ts";
import { requireCriu } from "./usable-criu.ts";

/** A checkpoint that a container is made of. */
export interface TakenCheckpoint {
  /** The path or image that the request named. */
  from: string;
  /** Under which `checkpoints.restores` keeps its parts. */
  parts: string;
  content: ParsedCheckpoint;
  /** What the container is to be. */
  request: ContainerRequest;
}

/**
 * Takes in the checkpoint that the image of a request is: the path of an archive, or an image that is annotated as one. Undefined for
 * an image as any other. Undone by `restores.discard`.
 * @throws DomainError not-found, invalid-argument, failed-precondition
 */
export async function takeCheckpoint(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  asked: ContainerRequest,
  undo: AsyncDisposableStack,
): Promise<TakenCheckpoint | undefined> {
  const from = asked.image.image;
  if (!path.isAbsolute(from) && !isCheckpointImage(drivers, from)) return undefined;
  await requireCriu(drivers, drivers.runtimes.get(sandbox.runtimeHandler).handler);
  requireHostUsers(sandbox, from);
  const { restores } = drivers.checkpoints;
  const parts = newId();
  undo.defer(() => restores.discard(parts));
  if (path.isAbsolute(from)) await restores.take(parts, { archive: from });
  else await takeImage(drivers, sandbox, asked.image, parts);
  const content = parseCheckpoint(
    from,
    (await restores.read(parts, checkpointPart.config)) ?? "",
    (await restores.read(parts, checkpointPart.spec)) ?? "",
  );
  const image = await rootfsImage(drivers, from, content);
  const request = restoredRequest(asked, content, image, sandbox.request.metadata.uid);
  for (const { containerPath } of asked.mounts.filter((mount) => !request.mounts.includes(mount)))
    drivers.logger.warn("a mount that a checkpoint does not know is left out", { checkpoint: from, containerPath });
  return { from, parts, content, request };
}

function isCheckpointImage({ images }: ContainerDrivers, name: string): boolean {
  const annotations = images.find(name)?.annotations ?? {};
  return checkpointImageAnnotations.some((key) => annotations[key] !== undefined);
}

function requireHostUsers(sandbox: Sandbox, from: string): void {
  if (sandbox.namespaces.user === undefined) return;
  throw new DomainError(
    "failed-precondition",
    `checkpoint ${from} cannot be restored in pod sandbox ${sandbox.id}, which has a user namespace of its own`,
  );
}

async function takeImage(drivers: ContainerDrivers, sandbox: Sandbox, image: ImageSpec, parts: string): Promise<void> {
  const { images, imageVolumes, storage, checkpoints } = drivers;
  await images.allow(image, sandbox.request.metadata.namespace);
  const { chainIds } = images.content(image.image);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => imageVolumes.remove(parts));
  const directory = await imageVolumes.mountPoint(parts, 0);
  await storage.mountImage(chainIds, directory);
  await checkpoints.restores.take(parts, { directory });
}

/** The image that the files of the checkpoint belong on: pulled when it is not here, and then the same one or none. */
async function rootfsImage(
  { images }: ContainerDrivers,
  from: string,
  { imageId, imageName }: ParsedCheckpoint,
): Promise<string> {
  const named = images.find(imageName);
  if (imageId !== "" && named?.id !== imageId && images.find(imageId) !== undefined) return imageId;
  if (imageName === "")
    throw new DomainError("not-found", `checkpoint ${from}: its image ${imageId || "(no name)"} is not on this node`);
  const found = await images.ensure(imageName).catch((error: unknown) => {
    throw new DomainError(kindOf(error), `checkpoint ${from}: its image ${imageName}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  if (imageId === "" || found.id === imageId) return imageName;
  throw new DomainError(
    "failed-precondition",
    `checkpoint ${from}: it was made of image ${imageId}, but ${imageName} is ${found.id} now; pull the former by its digest`,
  );
}
