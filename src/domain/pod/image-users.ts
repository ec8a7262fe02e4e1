import type { Container } from "#domain/container/container.ts";
import type { ImageUser } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";

/** Entities as the stores keep them. */
interface Kept<T> {
  readonly index: { all(): readonly T[] };
}

/** Containers, and pods by their pause processes, that an image may not be taken from; those that show it as a volume first. */
export function usersOfImage(
  { containers, sandboxes }: { containers: Kept<Container>; sandboxes: Kept<Sandbox> },
  imageId: string,
): ImageUser[] {
  const all = containers.index.all();
  const having = all.filter(({ volumeImageIds = [] }) => volumeImageIds.includes(imageId));
  const madeOf = [
    ...all.filter((container) => container.imageId === imageId),
    ...sandboxes.index.all().filter(({ infra }) => infra?.imageId === imageId),
  ];
  return [
    ...having.map(({ id }) => ({ id, as: "volume" as const })),
    ...madeOf.map(({ id }) => ({ id, as: "root" as const })),
  ];
}
