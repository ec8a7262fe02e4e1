import { type Config, pathsOf } from "#config/index.ts";
import { readLogs } from "#drivers/records/read-logs.ts";
import { checkStore } from "#drivers/storage/check-store.ts";
import { messageOf } from "#errors/domain-error.ts";
import { doubtfulPlaces } from "./doubtful-places.ts";

/** What is on disk, and each thing that is not as it should be. */
export interface DiskCheck {
  counts: Readonly<Record<"images" | "layers" | "blobs" | "pods" | "containers", number>>;
  problems: string[];
  /** About directories that work, but should be others. */
  warnings: string[];
}

/**
 * Looks at everything that outlives the daemon: images, layers, and the records of pods and containers. Nothing is changed; a
 * daemon that works meanwhile may make something look incomplete that is only being removed.
 */
export async function checkDisk(config: Config, options: { quick: boolean }): Promise<DiskCheck> {
  const paths = pathsOf(config);
  const store = await checkStore({ imageRoot: paths.imageRoot, containerRoot: paths.containerLayers }, options);
  const problems = [...store.problems];
  const pods = await readRecords(paths.sandboxRecords, "pod", problems);
  const containers = await readRecords(paths.containerRecords, "container", problems);
  const podIds = new Set(pods.map(({ id }) => id));
  const roots = new Set(store.containerRoots);
  const images = new Set(store.images.map(({ id }) => id));
  for (const { id, sandboxId, imageId } of containers) {
    if (sandboxId !== undefined && !podIds.has(sandboxId))
      problems.push(`container ${id} has lost its pod ${sandboxId}`);
    if (!roots.has(id)) problems.push(`container ${id} has lost its root`);
    if (imageId !== undefined && !images.has(imageId)) problems.push(`container ${id} has lost its image ${imageId}`);
  }
  const warnings = (await doubtfulPlaces(config)).map(({ message }) => message);
  const { layers, blobs } = store;
  return {
    counts: { images: images.size, layers, blobs, pods: pods.length, containers: containers.length },
    problems,
    warnings,
  };
}

interface EntityRecord {
  id: string;
  sandboxId?: string;
  imageId?: string;
}

async function readRecords(directory: string, noun: string, problems: string[]): Promise<EntityRecord[]> {
  const records: EntityRecord[] = [];
  for (const [id, json] of (await readLogs(directory)).latest) {
    try {
      const record = JSON.parse(json.toString("utf8")) as EntityRecord;
      if (record.id !== id) throw new Error(`it is of ${record.id}`);
      records.push(record);
    } catch (error) {
      problems.push(`the record of the ${noun} ${id} in ${directory} cannot be used: ${messageOf(error)}`);
    }
  }
  return records;
}
