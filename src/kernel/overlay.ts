import { closeSync, constants, openSync } from "node:fs";
import koffi from "koffi";
import { check, libc, SystemError } from "#kernel/libc.ts";
import { mount } from "#kernel/mount.ts";

const fsopen = libc.func("int syscall(long number, const char *type, unsigned int flags)") as (
  number: number,
  type: string,
  flags: number,
) => number;
const fsconfig = libc.func(
  "int syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)",
) as (number: number, fd: number, command: number, key: string | null, value: string | null, aux: number) => number;
const fsmount = libc.func("int syscall(long number, int fd, unsigned int flags, unsigned int attributes)") as (
  number: number,
  fd: number,
  flags: number,
  attributes: number,
) => number;
const moveMount = libc.func(
  "int syscall(long number, int fromFd, const char *fromPath, int toFd, const char *toPath, unsigned int flags)",
) as (number: number, fromFd: number, fromPath: string, toFd: number, toPath: string, flags: number) => number;
const readCall = libc.func("intptr_t read(int fd, _Out_ void *buffer, size_t size)") as (
  fd: number,
  buffer: Buffer,
  size: number,
) => number;

// These numbers are the same on x86-64 and arm64.
const Call = { moveMount: 429, fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
const Command = { setFlag: 0, setString: 1, create: 6 } as const;
const closeOnExec = 1;
const moveFromEmptyPath = 4;
const atCurrentDirectory = -100;

/** mount(2) copies at most a page of options, the closing NUL among them. */
const optionPageBytes = 4096;
/** fsconfig(2) refuses longer strings with EINVAL. */
const configStringBytes = 255;

export interface OverlayMount {
  target: string;
  /** Lower directories from the lowest up, as images list their layers. At least one; two when there is no upper. */
  lowerDirs: readonly string[];
  /** Without it the mount is read-only. */
  upper?: { upperDir: string; workDir: string };
  /** `MountFlag` bits. */
  flags?: number;
  /** Further options: `volatile` as true, `index: "off"`. */
  options?: Readonly<Record<string, string | true>>;
}

/**
 * Mounts an overlay (Documentation/filesystems/overlayfs.rst). More lower directories than a page of options holds go
 * through the mount API of Linux 6.5 with one `lowerdir+` each, or as short /proc/self/fd names on older kernels.
 * Undone by `unmount(target)`.
 * @throws SystemError
 */
export function mountOverlay(request: OverlayMount): void {
  const lowerDirs = request.lowerDirs.toReversed();
  const data = optionString(request, lowerDirs);
  if (Buffer.byteLength(data) < optionPageBytes) {
    mount("overlay", request.target, "overlay", request.flags ?? 0, data);
    return;
  }
  if (lowerDirs.every((dir) => Buffer.byteLength(dir) <= configStringBytes) && appendsLowerDirs()) {
    mountByConfiguration(request, lowerDirs);
    return;
  }
  mountByDescriptors(request, lowerDirs);
}

function optionString(request: OverlayMount, lowerDirs: readonly string[]): string {
  return [
    `lowerdir=${lowerDirs.map((dir) => escaped(dir).replaceAll(":", "\\:")).join(":")}`,
    ...settings(request).map(([key, value]) => (value === true ? key : `${key}=${quoted(key, value)}`)),
  ].join(",");
}

function settings(request: OverlayMount): [string, string | true][] {
  const upper: [string, string][] =
    request.upper === undefined
      ? []
      : [
          ["upperdir", request.upper.upperDir],
          ["workdir", request.upper.workDir],
        ];
  return [...upper, ...Object.entries(request.options ?? {})];
}

/** Security labels hold commas: the kernel's security modules read them in double quotes. */
function quoted(key: string, value: string): string {
  return key.endsWith("context") ? `"${value}"` : escaped(value);
}

function escaped(text: string): string {
  return text.replaceAll(/[\\,]/g, "\\$&");
}

let lowerDirsAppend: boolean | undefined;

/** Whether this kernel's overlay knows `lowerdir+`; asked once, with a directory that is always there. */
function appendsLowerDirs(): boolean {
  lowerDirsAppend ??= tryLowerDirAppend();
  return lowerDirsAppend;
}

function tryLowerDirAppend(): boolean {
  const fd = fsopen(Call.fsopen, "overlay", closeOnExec);
  if (fd === -1) return false;
  try {
    return fsconfig(Call.fsconfig, fd, Command.setString, "lowerdir+", "/", 0) === 0;
  } finally {
    closeSync(fd);
  }
}

function mountByConfiguration(request: OverlayMount, lowerDirs: readonly string[]): void {
  const context = check(fsopen(Call.fsopen, "overlay", closeOnExec), "fsopen", "overlay");
  try {
    const set = (key: string, value: string | true): void => {
      const command = value === true ? Command.setFlag : Command.setString;
      const result = fsconfig(Call.fsconfig, context, command, key, value === true ? null : value, 0);
      check(result, "fsconfig", `${key}=${value} for ${request.target}`);
    };
    for (const dir of lowerDirs) set("lowerdir+", dir);
    for (const [key, value] of settings(request)) set(key, value);
    const created = fsconfig(Call.fsconfig, context, Command.create, null, null, 0);
    if (created === -1) {
      const errno = koffi.errno();
      throw new SystemError("fsconfig", errno, `overlay on ${request.target}${kernelLog(context)}`);
    }
    const mounted = check(fsmount(Call.fsmount, context, closeOnExec, request.flags ?? 0), "fsmount", request.target);
    try {
      const moved = moveMount(Call.moveMount, mounted, "", atCurrentDirectory, request.target, moveFromEmptyPath);
      check(moved, "move_mount", request.target);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(context);
  }
}

/** What the kernel says about the failed configuration: messages read from the context's descriptor. */
function kernelLog(context: number): string {
  const buffer = Buffer.alloc(1024);
  const length = readCall(context, buffer, buffer.length);
  return length > 0 ? ` (${buffer.toString("utf8", 0, length).trim()})` : "";
}

function mountByDescriptors(request: OverlayMount, lowerDirs: readonly string[]): void {
  const fds: number[] = [];
  try {
    for (const dir of lowerDirs) fds.push(openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY));
    const short = fds.map((fd) => `/proc/self/fd/${fd}`);
    mount("overlay", request.target, "overlay", request.flags ?? 0, optionString(request, short));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
