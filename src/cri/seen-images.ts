import type { Image } from "#domain/image/image.ts";

/** By their names, which are one object for as long as the image's record is the same. */
const seen = new WeakMap<readonly string[], Image>();

/**
 * The equal image that came before, whose bytes are known, or `image` itself: the domain gives a new object each time, since
 * whether an image is pinned may change without its record.
 */
export function seenImage(image: Image): Image {
  const before = seen.get(image.repoTags);
  if (before !== undefined && isSame(before, image)) return before;
  seen.set(image.repoTags, image);
  return image;
}

function isSame(one: Image, other: Image): boolean {
  return (
    one.id === other.id &&
    one.repoTags === other.repoTags &&
    one.repoDigests === other.repoDigests &&
    one.sizeBytes === other.sizeBytes &&
    one.pinned === other.pinned &&
    one.config === other.config &&
    hasSameEntries(one.annotations, other.annotations)
  );
}

function hasSameEntries(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
