import path from "node:path";

/**
 * Path of a systemd slice below the hierarchy's root: each dash of its name is a parent (systemd.slice(5)):
 * `a-b.slice` is `/a.slice/a-b.slice`, `-.slice` the root.
 */
export function slicePath(slice: string): string {
  return `/${slicesAbove(slice).join("/")}`;
}

/** A slice and those it lies in, the uppermost first; the root slice is not among them. */
export function slicesAbove(slice: string): string[] {
  const name = path.posix.basename(slice).replace(/\.slice$/, "");
  if (name === "-" || name === "") return [];
  const parts = name.split("-");
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("-")}.slice`);
}

/** Path of a container's group from linux.cgroupsPath: as it is for cgroupfs, the scope below its slice for `slice:prefix:name`. */
export function groupPath(cgroupsPath: string): string {
  const match = /^([^:/]+\.slice):([^:]*):([^:]+)$/.exec(cgroupsPath);
  if (match === null) return cgroupsPath;
  const [, slice = "", prefix = "", name = ""] = match;
  return path.posix.join(slicePath(slice), prefix === "" ? `${name}.scope` : `${prefix}-${name}.scope`);
}
