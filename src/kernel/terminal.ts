import { ioctl } from "#kernel/ioctl.ts";
import { check } from "#kernel/libc.ts";

/**
 * Sets the size of a terminal by either of its ends; its processes get SIGWINCH.
 * @throws SystemError
 */
export function resizeTerminal(fd: number, size: { width: number; height: number }): void {
  const setWindowSize = 0x5414;
  const window = Buffer.alloc(8);
  window.writeUInt16LE(size.height, 0);
  window.writeUInt16LE(size.width, 2);
  check(ioctl(fd, setWindowSize, window), "ioctl TIOCSWINSZ");
}
