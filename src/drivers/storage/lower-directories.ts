import { rmdirSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { mountIdmapped } from "#kernel/idmapped-mount.ts";
import { unmount } from "#kernel/mount.ts";
import type { IdMap } from "./index.ts";
import { removeDirectory, unmountAll } from "./mounted.ts";

/**
 * Layers for an overlay, with the ids that a user namespace gives them where there is one. Their idmapped mounts, in `place`, are needed
 * only while the overlay is mounted, which takes copies of them; so nobody sees them for long. `what` is named in errors.
 */
export async function lowerDirectories(
  what: string,
  plain: readonly string[],
  place: string,
  idMap: IdMap | undefined,
): Promise<{ directories: readonly string[] } & Disposable> {
  const undo = new DisposableStack();
  if (idMap === undefined) return { directories: plain, [Symbol.dispose]: () => undo.dispose() };
  try {
    await removeLowerMounts(place);
    await mkdir(place, { recursive: true, mode: 0o700 });
    undo.defer(() => rmdirSync(place));
    const directories: string[] = [];
    for (const [index, directory] of plain.entries()) {
      const target = path.join(place, String(index));
      await mkdir(target);
      undo.defer(() => rmdirSync(target));
      mountIdmapped(directory, target, idMap.userNamespace);
      undo.defer(() => void unmount(target, { lazy: true }));
      directories.push(target);
    }
    return { directories, [Symbol.dispose]: () => undo.dispose() };
  } catch (error) {
    undo.dispose();
    throw new DomainError(
      "internal",
      `${what}: its layers cannot be idmapped, which user namespaces need: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Takes down what a crash may have left of idmapped layers in `place`, and `place`. */
export async function removeLowerMounts(place: string): Promise<void> {
  const names = await readdir(place).catch(() => []);
  for (const name of names) {
    await unmountAll(path.join(place, name));
    await removeDirectory(path.join(place, name));
  }
  await removeDirectory(place);
}
