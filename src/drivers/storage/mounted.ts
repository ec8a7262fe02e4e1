import { rmdir, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { unmountOffThread } from "#kernel/mount.ts";

/** Whether something is mounted on a directory that was made on its parent's file system; an overlay has a device of its own. */
export async function isMountPoint(directory: string): Promise<boolean> {
  try {
    const [own, parent] = await Promise.all([stat(directory), stat(path.dirname(directory))]);
    return own.dev !== parent.dev;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Unmounts all that is mounted on `target`; detaches what is busy, so that it goes when its last user does. Idempotent. */
export async function unmountAll(target: string): Promise<void> {
  try {
    while (await unmountOnce(target));
  } catch (error) {
    throw new DomainError("internal", `${target} could not be unmounted: ${messageOf(error)}`, { cause: error });
  }
}

async function unmountOnce(target: string): Promise<boolean> {
  try {
    return await unmountOffThread(target);
  } catch (error) {
    if (!hasErrno(error, "EBUSY")) throw error;
    return await unmountOffThread(target, { lazy: true });
  }
}

/** Removes an empty directory; missing is fine. */
export async function removeDirectory(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
