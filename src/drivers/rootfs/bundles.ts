import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { Bundles } from "./index.ts";

/** Bundles below `directory`, one per container id; gone with the boot. */
export function bundlesIn(directory: string): Bundles {
  const bundleOf = (id: string): string => path.join(directory, id);
  return {
    async create(containerId, files) {
      const bundle = bundleOf(containerId);
      try {
        await mkdir(bundle, { recursive: true, mode: 0o700 });
        await Promise.all(
          Object.entries(files).map(([name, content]) => writeFile(path.join(bundle, name), content, { mode: 0o644 })),
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
      return readFile(path.join(bundleOf(containerId), name), "utf8");
    },
    async remove(containerId) {
      await rm(bundleOf(containerId), { recursive: true, force: true });
    },
    async ids() {
      return readdir(directory).catch(() => []);
    },
  };
}
