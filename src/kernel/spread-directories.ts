import { closeSync, constants, openSync, statfsSync } from "node:fs";
import { ioctl } from "#kernel/ioctl.ts";
import { check } from "#kernel/libc.ts";

// ioctl_iflags(2), <linux/fs.h>; the flags are an int whatever the request's number says.
const getFlags = 0x8008_6601;
const setFlags = 0x4008_6602;
const topOfHierarchies = 0x0002_0000;
/** The magic number of ext2, ext3 and ext4 (statfs(2)). */
const extMagic = 0xef53;

/**
 * Tells ext4 that the directories in `directory` have nothing to do with each other (FS_TOPDIR_FL), so that it puts each of them, and what is made
 * in it, where the disk has few others. Otherwise they all share one group of inodes with those that were deleted there, which ext4 does
 * not use again for a minute or more and looks at one by one for each new file: with some thousand of them that takes a millisecond. Other file
 * systems have no such groups. Nothing depends on it, so a file system that refuses it is left as it is.
 */
export function spreadDirectoriesIn(directory: string): void {
  if (statfsSync(directory).type !== extMagic) return;
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = Buffer.alloc(8);
    check(ioctl(fd, getFlags, flags), "ioctl FS_IOC_GETFLAGS", directory);
    const present = flags.readUInt32LE();
    if ((present & topOfHierarchies) !== 0) return;
    flags.writeUInt32LE(present | topOfHierarchies);
    check(ioctl(fd, setFlags, flags), "ioctl FS_IOC_SETFLAGS", directory);
  } catch {
    // As it was.
  } finally {
    closeSync(fd);
  }
}
