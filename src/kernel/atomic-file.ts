import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

let sequence = 0;

/** Suffix of files that `writeFileAtomic` has not finished; whoever owns a directory sweeps them at start. */
export const temporarySuffix = ".tmp";

/**
 * Replaces a file in one step: readers see the old or the new content, never a part. `durable` also syncs the file and
 * its directory, for what must survive power loss.
 */
export async function writeFileAtomic(
  file: string,
  data: string | Uint8Array,
  options: { mode?: number; durable?: boolean } = {},
): Promise<void> {
  sequence += 1;
  const temporary = `${file}.${process.pid}-${sequence}${temporarySuffix}`;
  try {
    const handle = await open(temporary, "wx", options.mode ?? 0o600);
    try {
      await handle.writeFile(data);
      if (options.durable === true) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (options.durable === true) await syncDirectory(path.dirname(file));
}

/** Syncs a directory so that names made or renamed in it survive power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
