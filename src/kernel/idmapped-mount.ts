import { closeSync, openSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";
import { attachTree, cloneTree } from "#kernel/mount-tree.ts";

const mountSetattr = libc.func(
  "int syscall(long number, int directory, const char *path, unsigned int flags, void *attributes, size_t size)",
) as (number: number, directory: number, path: string, flags: number, attributes: Buffer, size: number) => number;

const mountSetattrNumber = 442;
const emptyPath = 0x1000;
const attributeIdMap = 0x00100000n;

/**
 * Mounts `source` on `target` with the ids of files shifted by a user namespace (mount_setattr(2), MOUNT_ATTR_IDMAP): what belongs to 0
 * on disk belongs to the namespace's root there. Undone by `unmount(target)`.
 * @throws SystemError; EINVAL where the file system cannot be idmapped
 */
export function mountIdmapped(source: string, target: string, userNamespace: string): void {
  const tree = cloneTree(source);
  try {
    const namespace = openSync(userNamespace, "r");
    try {
      // struct mount_attr: attr_set, attr_clr, propagation, userns_fd, 64 bits each.
      const attributes = Buffer.alloc(32);
      attributes.writeBigUInt64LE(attributeIdMap, 0);
      attributes.writeBigUInt64LE(BigInt(namespace), 24);
      check(
        mountSetattr(mountSetattrNumber, tree, "", emptyPath, attributes, attributes.length),
        "mount_setattr",
        source,
      );
    } finally {
      closeSync(namespace);
    }
    attachTree(tree, target);
  } finally {
    closeSync(tree);
  }
}
