import type { CriClient } from "#cri/client.ts";
import {
  ImageService,
  RuntimeService,
  type Container,
  type Image,
  type PodSandbox,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { shortId } from "./readable.ts";
import { CtlError } from "./subcommand.ts";

/** The one container whose id begins with `written`, or whose name it is. @throws CtlError for none or several */
export async function findContainer(client: CriClient, written: string): Promise<Container> {
  return only("container", written, await containersLike(client, written));
}

/** The one pod whose id begins with `written`, or whose name it is. @throws CtlError for none or several */
export async function findPod(client: CriClient, written: string): Promise<PodSandbox> {
  return only("pod", written, await podsLike(client, written));
}

/** The image with this name, tag, digest or id prefix. @throws CtlError for none or several */
export async function findImage(client: CriClient, written: string): Promise<Image> {
  const { image } = await client.call(ImageService.method.imageStatus, { image: { image: written } });
  return image ?? only("image", written, await imagesLike(client, written));
}

export async function containersLike(client: CriClient, written: string): Promise<Container[]> {
  const { containers } = await client.call(RuntimeService.method.listContainers, {});
  return matching(containers, written, (container) => container.metadata?.name);
}

export async function podsLike(client: CriClient, written: string): Promise<PodSandbox[]> {
  const { items } = await client.call(RuntimeService.method.listPodSandbox, {});
  return matching(items, written, (pod) => pod.metadata?.name);
}

async function imagesLike(client: CriClient, written: string): Promise<Image[]> {
  const { images } = await client.call(ImageService.method.listImages, {});
  return images.filter(({ id }) => id.startsWith(written) || id.startsWith(`sha256:${written}`));
}

/** An exact id beats every prefix; ids beat names. */
function matching<T extends { id: string }>(
  things: readonly T[],
  written: string,
  nameOf: (thing: T) => string | undefined,
): T[] {
  const exact = things.filter(({ id }) => id === written);
  if (exact.length > 0) return exact;
  const byPrefix = things.filter(({ id }) => id.startsWith(written));
  return byPrefix.length > 0 ? byPrefix : things.filter((thing) => nameOf(thing) === written);
}

export function only<T extends { id: string }>(noun: string, written: string, found: readonly T[]): T {
  const [first] = found;
  if (first === undefined) throw new CtlError(`no ${noun} has the name ${written} or an id that begins with it`);
  if (found.length > 1) {
    const ids = found.map(({ id }) => shortId(id)).join(", ");
    throw new CtlError(`${written} could be any of ${found.length} ${noun}s: ${ids}; write more of the id`);
  }
  return first;
}
