import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { SmallFiles } from "#kernel/small-files.ts";
import type { Bundles } from "./index.ts";

/** Bundles below `directory`, one per container id, made by `small`; gone with the boot. */
export function bundlesIn(directory: string, small: SmallFiles): Bundles {
  const bundleOf = (id: string): string => path.join(directory, id);
  return {
    async create(containerId, files) {
      const bundle = bundleOf(containerId);
      try {
        await small.makeDirectory(bundle, 0o700);
        await Promise.all(
          Object.entries(files).map(([name, content]) => small.write(path.join(bundle, name), content, 0o644)),
        );
      } catch (error) {
        await this.remove(containerId);
        throw new DomainError(
          "internal",
          `container ${containerId}: writing the bundle ${bundle} failed: ${messageOf(error)}`,
          { cause: error },
        );
      }
      return bundle;
    },
    path: bundleOf,
    async readFile(containerId, name) {
      return small.read(path.join(bundleOf(containerId), name));
    },
    async remove(containerId) {
      await rm(bundleOf(containerId), { recursive: true, force: true });
    },
    async ids() {
      return readdir(directory).catch(() => []);
    },
  };
}
