import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { openDirectory, type ThreadRoot } from "#kernel/chroot.ts";
import { TarReader } from "../tar/reader.ts";
import { entryFailure } from "../unpack/entry-failure.ts";
import { entryPath, systemPath } from "../unpack/entry-path.ts";
import { LayerWriter } from "../unpack/layer-writer.ts";

export interface ApplyChangesRequest {
  /** The mounted root. */
  root: string;
  /** A tar of what was added or changed; undefined for none. */
  archive: string | undefined;
  /** Paths in the root. */
  deleted: readonly string[];
  maxEntries: number;
}

/**
 * Writes a list of changes into a container's root. Neither an entry nor a link in the root leads out of it. Synchronous: for workers.
 * @throws DomainError data-loss, invalid-argument
 */
export function applyChanges(request: ApplyChangesRequest, root: ThreadRoot): undefined {
  using descriptors = new DisposableStack();
  const directory = descriptors.adopt(openDirectory(request.root), closeSync);
  if (request.archive !== undefined) {
    const archive = descriptors.adopt(openSync(request.archive, "r"), closeSync);
    using writer = new LayerWriter(request.maxEntries);
    root.inside(directory, () => unpack(archive, writer));
  }
  root.inside(directory, () => {
    for (const path of request.deleted) remove(entryPath(Buffer.from(path).toString("latin1")));
  });
}

function unpack(archive: number, writer: LayerWriter): void {
  const reader = new TarReader(writer);
  const piece = Buffer.alloc(1 << 20);
  for (let length = readSync(archive, piece); length > 0; length = readSync(archive, piece))
    reader.write(piece.subarray(0, length));
  reader.end();
  writer.finish();
}

function remove(path: string): void {
  if (path === "") return;
  try {
    rmSync(systemPath(path), { recursive: true, force: true });
  } catch (error) {
    // Something above it is no directory any more.
    if (!hasErrno(error, "ENOTDIR", "ELOOP")) throw entryFailure(path, error);
  }
}
