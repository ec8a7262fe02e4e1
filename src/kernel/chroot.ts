import { closeSync, constants, openSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { check, libc } from "#kernel/libc.ts";

const unshareCall = libc.func("int unshare(int flags)") as (flags: number) => number;
const chrootCall = libc.func("int chroot(const char *path)") as (path: string) => number;
const fchdirCall = libc.func("int fchdir(int fd)") as (fd: number) => number;

const cloneFs = 0x200;

/**
 * Gives the calling worker thread its own root, working directory and umask (unshare(2), CLONE_FS). Cannot be undone; ends
 * with the thread.
 * @throws SystemError
 */
export function unshareFileSystemState(): void {
  if (isMainThread) throw new Error("The main thread must keep the file system state that all threads share.");
  check(unshareCall(cloneFs), "unshare");
}

/** A directory kept open, to stand in as a thread's root. */
export function openDirectory(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/**
 * Switches the root of the calling thread to and fro. Needs `unshareFileSystemState`. While inside, the kernel resolves every
 * path, `..` and symlink of a synchronous call below the given directory; asynchronous calls run on other threads and do not
 * see it.
 */
export class ThreadRoot {
  readonly #home = openDirectory("/");

  /** Runs `work`, which must be synchronous, with `directoryFd` as root and working directory. @throws SystemError */
  inside<T>(directoryFd: number, work: () => T): T {
    changeRoot(directoryFd);
    try {
      return work();
    } finally {
      changeRoot(this.#home);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#home);
  }
}

/** Makes a directory the root and the working directory of the calling thread. Needs `unshareFileSystemState`. @throws SystemError */
export function changeRoot(directoryFd: number): void {
  changeDirectory(directoryFd);
  check(chrootCall("."), "chroot");
}

/** Makes a directory the working directory of the calling thread. Needs `unshareFileSystemState`. @throws SystemError */
export function changeDirectory(directoryFd: number): void {
  check(fchdirCall(directoryFd), "fchdir");
}
