import { check, libc } from "#kernel/libc.ts";

const openTreeCall = libc.func("int syscall(long number, int directory, const char *path, unsigned int flags)") as (
  number: number,
  directory: number,
  path: string,
  flags: number,
) => number;
const moveMountCall = libc.func(
  "int syscall(long number, int fromFd, const char *fromPath, int toFd, const char *toPath, unsigned int flags)",
) as (number: number, fromFd: number, fromPath: string, toFd: number, toPath: string, flags: number) => number;

const Call = { openTree: 428, moveMount: 429 } as const;
const atCurrentDirectory = -100;
const treeClone = 1;
const treeCloseOnExec = 0o2000000;
const treeRecursive = 0x8000;
const moveFromEmptyPath = 4;

/**
 * A copy of the mount at `path` that is nowhere mounted (open_tree(2)), as a descriptor: closing that drops the copy, unless it was mounted by
 * `attachTree`. Recursive takes what is mounted below along, but for unbindable mounts with all that is below them.
 * @throws SystemError; EINVAL for an unbindable mount
 */
export function cloneTree(path: string, options: { recursive?: boolean } = {}): number {
  const recursive = options.recursive === true ? treeRecursive : 0;
  const flags = treeClone | treeCloseOnExec | recursive;
  return check(openTreeCall(Call.openTree, atCurrentDirectory, path, flags), "open_tree", path);
}

/** Mounts what `cloneTree` gave on `target`, following no symlink at the end (move_mount(2)). Undone by `unmount(target)`. @throws SystemError */
export function attachTree(tree: number, target: string): void {
  check(moveMountCall(Call.moveMount, tree, "", atCurrentDirectory, target, moveFromEmptyPath), "move_mount", target);
}
