import { closeSync, openSync } from "node:fs";
import { changeDirectory, changeRoot, openDirectory, unshareFileSystemState } from "#kernel/chroot.ts";
import { check, libc } from "#kernel/libc.ts";
import { mount, MountFlag, unmount } from "#kernel/mount.ts";
import { attachTree, cloneTree } from "#kernel/mount-tree.ts";

const unshareCall = libc.func("int unshare(int flags)") as (flags: number) => number;
const setnsCall = libc.func("int setns(int fd, int type)") as (fd: number, type: number) => number;
const pivotRootCall = libc.func("int pivot_root(const char *newRoot, const char *putOld)") as (
  newRoot: string,
  putOld: string,
) => number;
const openatCall = libc.func("int openat(int directory, const char *path, int flags)") as (
  directory: number,
  path: string,
  flags: number,
) => number;

const newMountNamespace = 0x00020000;
const closeOnExec = 0o2000000;
const ownMounts = "/proc/thread-self/ns/mnt";

/** A mount namespace with what is mounted now, but for a part. */
export interface MountViewRequest {
  /** Mount points that are taken out, with all that is mounted below them. Unbindable mounts are out by themselves. */
  without: readonly string[];
  /** Mount points of the parts that are out which are there nevertheless. */
  keep: readonly string[];
}

/** Descriptors, which the caller closes. */
export interface MadeMountView {
  /** The namespace. It lives as long as anybody has it open or is inside. */
  namespace: number;
  /** Its root directory, for a look inside: an O_PATH descriptor. */
  root: number;
}

/**
 * Makes mount namespaces without copying the thousands of mounts that a host may have only to take them out again: what is to be seen is
 * copied (open_tree(2)) and becomes the root of a namespace that is all but empty. Nothing that happens inside reaches the
 * host (it is a slave of the host's peer groups), while unmounts of shared mounts on the host happen inside, too.
 *
 * For a thread of its own that does nothing else meanwhile.
 */
export class MountViews implements Disposable {
  readonly #root: number;
  readonly #home: number;
  readonly #empty: number;

  /** @throws SystemError */
  constructor() {
    using undo = new DisposableStack();
    unshareFileSystemState();
    this.#root = opened(openDirectory("/"), undo);
    this.#home = opened(openSync(ownMounts, "r"), undo);
    // Before the thread loses sight of /proc.
    const namespaces = opened(openDirectory("/proc/thread-self/ns"), undo);
    try {
      check(unshareCall(newMountNamespace), "unshare");
      leaveNothingMounted();
      this.#empty = check(openatCall(namespaces, "mnt", closeOnExec), "openat", ownMounts);
    } finally {
      this.#goHome();
    }
    undo.move();
    closeSync(namespaces);
  }

  /** @throws SystemError */
  make({ without, keep }: MountViewRequest): MadeMountView {
    using copies = new DisposableStack();
    using made = new DisposableStack();
    const root = opened(cloneTree("/", { recursive: true }), made);
    const kept = keep.map((place) => ({ place, tree: opened(cloneTree(place), copies) }));
    try {
      check(setnsCall(this.#empty, newMountNamespace), "setns");
      check(unshareCall(newMountNamespace), "unshare");
      attachTree(root, "/");
      changeRoot(root);
      mount("none", "/", "", MountFlag.recursive | MountFlag.slave);
      for (const place of without) unmount(place, { lazy: true });
      for (const { place, tree } of kept) attachTree(tree, place);
      const namespace = opened(openSync(ownMounts, "r"), made);
      made.move();
      return { namespace, root };
    } finally {
      this.#goHome();
    }
  }

  #goHome(): void {
    check(setnsCall(this.#home, newMountNamespace), "setns");
    changeRoot(this.#root);
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#root, this.#home, this.#empty]) closeSync(fd);
  }
}

/** Puts an empty file system in the place of all that is mounted in the calling thread's namespace, which is to be no one else's. */
function leaveNothingMounted(): void {
  const anywhere = "/proc";
  mount("none", "/", "", MountFlag.recursive | MountFlag.private);
  mount("none", anywhere, "tmpfs", MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec, "size=4k,mode=555");
  const place = openDirectory(anywhere);
  changeDirectory(place);
  closeSync(place);
  check(pivotRootCall(".", "."), "pivot_root");
  if (!unmount(".", { lazy: true })) throw new Error("what was mounted is mounted still, after pivot_root");
}

function opened(fd: number, undo: DisposableStack): number {
  undo.defer(() => closeSync(fd));
  return fd;
}
