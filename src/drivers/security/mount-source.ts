import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { listMounts, type MountInfo } from "#kernel/mount.ts";
import type { MountSource } from "./index.ts";

export interface MountSourceOptions {
  /** Where the host's root is mounted, when the daemon runs in a container; empty otherwise. */
  bindMountPrefix: string;
  /** Missing sources that are an error instead of being made: mounts that some other program should have made. */
  absentMountSourcesToReject: readonly string[];
}

/** What `Security.mountSource` promises. */
export async function findMountSource(
  request: { hostPath: string; propagation: string },
  options: MountSourceOptions,
): Promise<MountSource> {
  const { hostPath } = request;
  if (!path.isAbsolute(hostPath))
    throw new DomainError("invalid-argument", `the mount source ${JSON.stringify(hostPath)} is no absolute path`);
  const wanted = path.join(options.bindMountPrefix, hostPath);
  const resolved = (await resolvedPath(wanted)) ?? (await made(wanted, hostPath, options));
  const stats = await stat(resolved);
  const place =
    request.propagation === "private"
      ? { mountPoint: "", propagation: "private" as const }
      : placeOf(resolved, await listMounts());
  return { path: resolved, isDirectory: stats.isDirectory(), ...place };
}

/** `undefined` when nothing is there. */
async function resolvedPath(wanted: string): Promise<string | undefined> {
  try {
    return await realpath(wanted);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw unusable(wanted, error);
  }
}

function unusable(wanted: string, error: unknown): Error {
  const reason = hasErrno(error, "ELOOP")
    ? "its symlinks lead in a circle"
    : hasErrno(error, "ENOTDIR")
      ? "a part of the path is a file"
      : hasErrno(error, "EEXIST", "ENOENT")
        ? "it is a symlink to something that does not exist"
        : undefined;
  if (reason !== undefined)
    return new DomainError("invalid-argument", `the mount source ${wanted} cannot be used: ${reason}`, {
      cause: error,
    });
  return new DomainError("internal", `the mount source ${wanted} cannot be looked at: ${messageOf(error)}`, {
    cause: error,
  });
}

async function made(wanted: string, hostPath: string, options: MountSourceOptions): Promise<string> {
  if (options.absentMountSourcesToReject.includes(hostPath))
    throw new DomainError(
      "not-found",
      `the mount source ${hostPath} does not exist, and absent_mount_sources_to_reject forbids to make it`,
    );
  const dangling = await lstat(wanted).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
  try {
    // mkdir follows no symlink at the end, so a dangling one would fail with a bare EEXIST.
    if (dangling) throw Object.assign(new Error(`${wanted} dangles`), { code: "ENOENT" });
    await mkdir(wanted, { recursive: true, mode: 0o755 });
    return await realpath(wanted);
  } catch (error) {
    throw unusable(wanted, error);
  }
}

/** The mount that a path is on: the innermost mount point above it, the last mounted where several are stacked. */
export function placeOf(
  resolved: string,
  mounts: readonly MountInfo[],
): Pick<MountSource, "mountPoint" | "propagation"> {
  let best: MountInfo | undefined;
  for (const mount of mounts) {
    const contains = mount.mountPoint === "/" || `${resolved}/`.startsWith(`${mount.mountPoint}/`);
    if (contains && mount.mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  }
  const fields = best?.optionalFields ?? [];
  const propagation = fields.some((field) => field.startsWith("shared:"))
    ? "shared"
    : fields.some((field) => field.startsWith("master:"))
      ? "slave"
      : "private";
  return { mountPoint: best?.mountPoint ?? "/", propagation };
}
