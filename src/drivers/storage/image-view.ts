import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { bindMount, MountFlag } from "#kernel/mount.ts";
import { mountOverlay } from "#kernel/overlay.ts";
import type { ChainId, RootView } from "./index.ts";
import type { Layout } from "./layout.ts";
import { lowerDirectories } from "./lower-directories.ts";

/** Mounts the content of layers, given from the lowest up and all there, read-only on `target`. @throws DomainError */
export async function mountImageView(
  layout: Layout,
  chainIds: readonly ChainId[],
  target: string,
  { mountLabel, idMap }: RootView,
): Promise<void> {
  const diffs = chainIds.map((chainId) => layout.diff(chainId));
  // Without an upper directory overlayfs wants two lower ones.
  const plain = diffs.length === 1 ? [...diffs, layout.empty] : diffs;
  const flags = MountFlag.readOnly | MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec;
  const options = mountLabel === undefined ? {} : { context: mountLabel };
  try {
    if (plain.length === 0) return bindMount(layout.empty, target, { readOnly: true, flags });
    using lower = await lowerDirectories("the image", plain, `${target}.lower`, idMap);
    await mountOverlay({ target, lowerDirs: lower.directories, flags, options });
  } catch (error) {
    const kind = hasErrno(error, "ENOENT") ? "not-found" : "internal";
    throw new DomainError(kind, `the image could not be mounted on ${target}: ${messageOf(error)}`, { cause: error });
  }
}
