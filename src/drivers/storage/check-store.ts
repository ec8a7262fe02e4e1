import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { blobsOf } from "./image-blobs.ts";
import { parseStoredImage } from "./image-catalogue.ts";
import type { ImageRecord } from "./index.ts";
import { readLayerRecord } from "./layer-record.ts";
import { Layout } from "./layout.ts";

/** What a look at the whole store has found; nothing is changed. */
export interface StoreCheck {
  images: ImageRecord[];
  layers: number;
  blobs: number;
  /** Ids of containers that have a root. */
  containerRoots: string[];
  /** Each a sentence that names the file. */
  problems: string[];
}

/**
 * Verifies that every image has its layers and blobs, that blobs have the content of their digest, and that layers hold as many
 * files as were unpacked. `quick` leaves out what reads content and walks trees. Can run beside a daemon.
 */
export async function checkStore(
  roots: { imageRoot: string; containerRoot: string },
  { quick }: { quick: boolean },
): Promise<StoreCheck> {
  const layout = new Layout({ ...roots, runRoot: "/nonexistent" });
  const problems: string[] = [];
  const images = await checkImages(layout, problems);
  return {
    images,
    layers: await checkLayers(layout, images, quick, problems),
    blobs: await checkBlobs(layout, images, quick, problems),
    containerRoots: await names(layout.containers),
    problems,
  };
}

async function checkImages(layout: Layout, problems: string[]): Promise<ImageRecord[]> {
  const images: ImageRecord[] = [];
  for (const name of (await names(layout.images)).filter((one) => one.endsWith(".json"))) {
    const file = path.join(layout.images, name);
    try {
      const { record } = parseStoredImage(await readFile(file, "utf8"));
      if (layout.image(record.id) !== file) throw new Error(`it holds image ${record.id}`);
      images.push(record);
    } catch (error) {
      problems.push(`image record ${file} cannot be used: ${messageOf(error)}`);
    }
  }
  return images;
}

async function checkLayers(
  layout: Layout,
  images: readonly ImageRecord[],
  quick: boolean,
  problems: string[],
): Promise<number> {
  const sound = new Set<string>();
  const directories = await names(layout.layers);
  for (const name of directories) {
    const directory = path.join(layout.layers, name);
    try {
      const layer = await readLayerRecord(directory, layout);
      const found = quick ? layer.inodes : await countInodes(Buffer.from(layout.diff(layer.chainId)));
      if (found < layer.inodes) throw new Error(`it has ${found} of its ${layer.inodes} files`);
      sound.add(layer.chainId);
    } catch (error) {
      problems.push(`layer ${directory} is damaged: ${messageOf(error)}`);
    }
  }
  for (const image of images)
    for (const chainId of image.chainIds.filter((one) => !sound.has(one)))
      problems.push(`image ${nameOf(image)} lacks the layer ${chainId}; pull it again`);
  return directories.length;
}

/** Files of a layer, those with several names once; its root does not count. Names are bytes, which need not be UTF-8. */
async function countInodes(directory: Buffer, seen = new Set<bigint>()): Promise<number> {
  for (const entry of await readdir(directory, { encoding: "buffer", withFileTypes: true })) {
    const file = Buffer.concat([directory, Buffer.from("/"), entry.name]);
    seen.add((await lstat(file, { bigint: true })).ino);
    if (entry.isDirectory()) await countInodes(file, seen);
  }
  return seen.size;
}

async function checkBlobs(
  layout: Layout,
  images: readonly ImageRecord[],
  quick: boolean,
  problems: string[],
): Promise<number> {
  const present = new Set<string>();
  for (const algorithm of await names(layout.blobs)) {
    for (const hex of await names(path.join(layout.blobs, algorithm))) {
      const digest: Digest = `${algorithm}:${hex}`;
      present.add(digest);
      const reason = quick ? undefined : await whyDamaged(layout.blob(digest), algorithm, hex);
      if (reason !== undefined) problems.push(`blob ${digest} is damaged: ${reason}`);
    }
  }
  for (const image of images)
    for (const digest of blobsOf(image).filter((one) => !present.has(one)))
      problems.push(`image ${nameOf(image)} lacks the blob ${digest}; pull it again`);
  return present.size;
}

async function whyDamaged(file: string, algorithm: string, hex: string): Promise<string | undefined> {
  const hash = createHash(algorithm);
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    return messageOf(error);
  }
  const found = hash.digest("hex");
  return found === hex ? undefined : `its content has the digest ${algorithm}:${found}`;
}

function nameOf(image: ImageRecord): string {
  return image.repoTags[0] ?? image.repoDigests[0] ?? image.id;
}

async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}
