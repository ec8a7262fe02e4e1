import { readFile } from "node:fs/promises";
import { check, libc, SystemError } from "#kernel/libc.ts";

const mountCall = libc.func(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
) as (source: string | null, target: string, type: string | null, flags: number, data: string | null) => number;
const umountCall = libc.func("int umount2(const char *target, int flags)") as (target: string, flags: number) => number;

/** mount(2) flags by name. */
export const MountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

const detach = 2;

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
  const noFollow = 8;
  try {
    check(umountCall(target, noFollow | (options.lazy === true ? detach : 0)), "umount", target);
    return true;
  } catch (error) {
    if (error instanceof SystemError && (error.code === "EINVAL" || error.code === "ENOENT")) return false;
    throw error;
  }
}

export interface MountInfo {
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
