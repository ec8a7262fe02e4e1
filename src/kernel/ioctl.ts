import { libc } from "#kernel/libc.ts";

/** ioctl(2); its result is for `check`. */
export const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *argument)") as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;
