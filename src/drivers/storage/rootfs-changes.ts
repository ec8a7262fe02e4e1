import type { RootfsChanges } from "./index.ts";
import { defaultLimits } from "./options.ts";
import type { TreeJobs } from "./tree-jobs.ts";

/** Of what a container's root is made. */
export interface RootfsPlaces {
  mountPath: string;
  upper: string;
  /** The image's layers from the lowest up. */
  lowers: readonly string[];
}

/** See `Storage.rootfsChanges`. */
export async function rootfsChanges(
  trees: TreeJobs,
  { mountPath, upper, lowers }: RootfsPlaces,
  options: { ignored: readonly string[]; listFile: string },
): Promise<RootfsChanges> {
  const found = await trees.listChanges({ upper, lowers: lowers.toReversed(), merged: mountPath, ...options });
  return { mountPath, ...found };
}

/** See `Storage.applyRootfsChanges`. */
export async function applyRootfsChanges(
  trees: TreeJobs,
  { mountPath }: RootfsPlaces,
  { archive, deleted }: { archive?: string; deleted: readonly string[] },
): Promise<void> {
  await trees.applyChanges({ root: mountPath, archive, deleted, maxEntries: defaultLimits.maxEntries });
}
