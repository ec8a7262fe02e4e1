import { accessSync, constants } from "node:fs";
import path from "node:path";

const programs = ["runc", "conmon", "docker-registry", "busybox", "iptables"];
const cniFolders = ["/usr/lib/cni", "/opt/cni/bin"];
const cniPlugins = ["bridge", "host-local", "portmap", "loopback"];

/** Where the CNI plugins are: Debian's place or the upstream one. */
export function cniPluginFolder(): string | undefined {
  return cniFolders.find((folder) => cniPlugins.every((plugin) => isExecutable(path.join(folder, plugin))));
}

/** The absolute path of a program in PATH or the usual sbin folders. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** Why tests that run real pods cannot run here, fit for `skip`; false when they can. */
export function cannotRunPods(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = programs.filter((name) => findProgram(name) === undefined);
  if (cniPluginFolder() === undefined) missing.push(`CNI plugins in ${cniFolders.join(" or ")}`);
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
