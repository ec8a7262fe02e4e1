import { closeSync, constants, openSync } from "node:fs";
import { type CallDone, check, checkOffThread, libc, SystemError } from "#kernel/libc.ts";
import { mountOffThread } from "#kernel/mount.ts";

const fsopen = libc.func("int syscall(long number, const char *type, unsigned int flags)") as (
  number: number,
  type: string,
  flags: number,
) => number;
type ConfigArguments = [
  number: number,
  fd: number,
  command: number,
  key: string | null,
  value: string | null,
  aux: number,
];
const fsconfig = libc.func(
  "int syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)",
) as ((...call: ConfigArguments) => number) & { async: (...call: [...ConfigArguments, done: CallDone]) => void };
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
 * Runs on another thread, since it takes milliseconds. Undone by `unmount(target)`.
 * @throws SystemError
 */
export async function mountOverlay(request: OverlayMount): Promise<void> {
  const lowerDirs = request.lowerDirs.toReversed();
  const data = optionString(request, lowerDirs);
  if (Buffer.byteLength(data) < optionPageBytes) {
    await mountOffThread("overlay", request.target, "overlay", request.flags ?? 0, data);
    return;
  }
  if (lowerDirs.every((dir) => Buffer.byteLength(dir) <= configStringBytes) && appendsLowerDirs()) {
    await mountByConfiguration(request, lowerDirs);
    return;
  }
  await mountByDescriptors(request, lowerDirs);
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

async function mountByConfiguration(request: OverlayMount, lowerDirs: readonly string[]): Promise<void> {
  const context = check(fsopen(Call.fsopen, "overlay", closeOnExec), "fsopen", "overlay");
  try {
    const set = (key: string, value: string | true): void => {
      const command = value === true ? Command.setFlag : Command.setString;
      const result = fsconfig(Call.fsconfig, context, command, key, value === true ? null : value, 0);
      check(result, "fsconfig", `${key}=${value} for ${request.target}`);
    };
    for (const dir of lowerDirs) set("lowerdir+", dir);
    for (const [key, value] of settings(request)) set(key, value);
    await create(context, request.target);
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

async function create(context: number, target: string): Promise<void> {
  const start = (done: CallDone): void => fsconfig.async(Call.fsconfig, context, Command.create, null, null, 0, done);
  try {
    await checkOffThread(start, "fsconfig", `overlay on ${target}`);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new SystemError("fsconfig", error.errno, `overlay on ${target}${kernelLog(context)}`);
  }
}

/** What the kernel says about the failed configuration: messages read from the context's descriptor. */
function kernelLog(context: number): string {
  const buffer = Buffer.alloc(1024);
  const length = readCall(context, buffer, buffer.length);
  return length > 0 ? ` (${buffer.toString("utf8", 0, length).trim()})` : "";
}

async function mountByDescriptors(request: OverlayMount, lowerDirs: readonly string[]): Promise<void> {
  const fds: number[] = [];
  try {
    for (const dir of lowerDirs) fds.push(openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY));
    const short = fds.map((fd) => `/proc/self/fd/${fd}`);
    await mountOffThread("overlay", request.target, "overlay", request.flags ?? 0, optionString(request, short));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
