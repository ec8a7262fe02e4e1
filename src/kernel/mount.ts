import { readFile } from "node:fs/promises";
import { type CallDone, check, checkOffThread, libc, SystemError } from "#kernel/libc.ts";

type MountArguments = [source: string | null, target: string, type: string | null, flags: number, data: string | null];

const mountCall = libc.func(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
) as ((...call: MountArguments) => number) & { async: (...call: [...MountArguments, done: CallDone]) => void };
const umountCall = libc.func("int umount2(const char *target, int flags)") as ((
  target: string,
  flags: number,
) => number) & { async: (target: string, flags: number, done: CallDone) => void };

/** mount(2) flags by name. */
export const MountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

const detach = 2;
const noFollow = 8;

/**
 * mount(2). A call that takes 0.1 ms; it runs on the calling thread. Undone by `unmount(target)`.
 * @throws SystemError
 */
export function mount(source: string, target: string, type: string, flags: number, data = ""): void {
  check(
    mountCall(source, target, type === "" ? null : type, flags, data === "" ? null : data),
    "mount",
    `${source} on ${target}`,
  );
}

/**
 * As `mount`, on another thread: for file systems whose mount takes milliseconds, as an overlay's does, which makes and removes
 * files to see what its upper layer can do.
 * @throws SystemError
 */
export async function mountOffThread(
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string,
): Promise<void> {
  const start = (done: CallDone): void => mountCall.async(source, target, type, flags, data, done);
  await checkOffThread(start, "mount", `${source} on ${target}`);
}

/** Bind mount; read-only takes the second mount call that the kernel asks for. Undone by `unmount(target)`. */
export function bindMount(
  source: string,
  target: string,
  options: { recursive?: boolean; readOnly?: boolean; flags?: number } = {},
): void {
  const recursive = options.recursive === true ? MountFlag.recursive : 0;
  mount(source, target, "", MountFlag.bind | recursive);
  const further = (options.flags ?? 0) | (options.readOnly === true ? MountFlag.readOnly : 0);
  if (further === 0) return;
  try {
    mount(source, target, "", MountFlag.bind | MountFlag.remount | further);
  } catch (error) {
    unmount(target);
    throw error;
  }
}

/**
 * umount2(2), following no symlink at the end; `false` when nothing was mounted there. Lazy detaches a busy mount.
 * @throws SystemError for anything but EINVAL and ENOENT
 */
export function unmount(target: string, options: { lazy?: boolean } = {}): boolean {
  try {
    check(umountCall(target, noFollow | (options.lazy === true ? detach : 0)), "umount", target);
    return true;
  } catch (error) {
    if (isNotMounted(error)) return false;
    throw error;
  }
}

/**
 * As `unmount`, on another thread: it waits for all processors to have let go of the mount, and the last unmount of a file system frees all
 * that it has cached.
 * @throws SystemError
 */
export async function unmountOffThread(target: string, options: { lazy?: boolean } = {}): Promise<boolean> {
  const flags = noFollow | (options.lazy === true ? detach : 0);
  try {
    await checkOffThread((done) => umountCall.async(target, flags, done), "umount", target);
    return true;
  } catch (error) {
    if (isNotMounted(error)) return false;
    throw error;
  }
}

function isNotMounted(error: unknown): boolean {
  return error instanceof SystemError && (error.code === "EINVAL" || error.code === "ENOENT");
}

export interface MountInfo {
  id: number;
  parentId: number;
  mountPoint: string;
  /** Root of the mount within its file system. */
  root: string;
  fsType: string;
  source: string;
  /** `shared:N`, `master:N`, ... */
  optionalFields: string[];
  options: string;
  superOptions: string;
}

/** All mounts of this process's namespace, in mount order (proc_pid_mountinfo(5)). */
export async function listMounts(): Promise<MountInfo[]> {
  return parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
}

export function parseMountInfo(text: string): MountInfo[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const fields = before.split(" ");
      const [fsType = "", source = "", superOptions = ""] = after.split(" ");
      return {
        id: Number(fields[0]),
        parentId: Number(fields[1]),
        mountPoint: unescapeOctal(fields[4] ?? ""),
        root: unescapeOctal(fields[3] ?? ""),
        options: fields[5] ?? "",
        optionalFields: fields.slice(6),
        fsType,
        source: unescapeOctal(source),
        superOptions,
      };
    });
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
