import { spawnSync } from "node:child_process";
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

/** An OCI runtime with idmapped mounts, which user namespaces need; the older runc of many machines has none. */
export function idmappingRuntime(): string | undefined {
  const candidates = [process.env["BERTH_TEST_RUNTIME"] ?? "runc", "crun", "/opt/runc-1.3/runc"];
  const paths = candidates.map((one) => (path.isAbsolute(one) ? one : findProgram(one)));
  return paths.filter((one) => one !== undefined).find(mapsIds);
}

function mapsIds(runtime: string): boolean {
  const { stdout } = spawnSync(runtime, ["features"], { encoding: "utf8" });
  return /"idmap"\s*:\s*\{\s*"enabled"\s*:\s*true/.test(stdout ?? "");
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
