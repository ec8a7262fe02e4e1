import { readFile } from "node:fs/promises";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import { writeFileAtomic } from "#kernel/atomic-file.ts";
import type { LayerInfo } from "./index.ts";
import { digestParts, type Layout } from "./layout.ts";

/** What layer.json, which lies beside the files of a layer, holds. */
export interface LayerRecord extends LayerInfo {
  version: 1;
  inodes: number;
  /** Whether the layer sets the owner and mode of the root directory. */
  hasRootEntry: boolean;
  /** Directories (byte strings) whose owner and mode the layers below decide, until `completeParents` has looked there. */
  impliedDirectories: string[];
}

const fileName = "layer.json";

/**
 * The record in a layer's directory.
 * @throws DomainError unimplemented for one of a version that a later berth has written
 * @throws Error when it cannot be read or understood, or belongs to another directory
 */
export async function readLayerRecord(directory: string, layout: Layout): Promise<LayerRecord> {
  const record = parseLayerRecord(await readFile(path.join(directory, fileName), "utf8"));
  if (layout.layer(record.chainId) !== directory) throw new Error(`it names ${record.chainId}`);
  return record;
}

export async function writeLayerRecord(record: LayerRecord, directory: string): Promise<void> {
  await writeFileAtomic(path.join(directory, fileName), JSON.stringify(record));
}

function parseLayerRecord(text: string): LayerRecord {
  const record = { impliedDirectories: [], ...(JSON.parse(text) as Omit<LayerRecord, "impliedDirectories">) };
  const version: unknown = record.version;
  if (typeof version === "number" && version > 1)
    throw new DomainError("unimplemented", `its version ${version} is not known`);
  if (version !== 1) throw new Error("it has no version");
  digestParts(record.chainId);
  digestParts(record.diffId);
  if (![record.unpackedSizeBytes, record.inodes].every(Number.isSafeInteger))
    throw new Error("its sizes are no numbers");
  return record;
}
