import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";

export type CgroupManagerName = "systemd" | "cgroupfs";

/** Name of the one cgroup of a container (cAdvisor looks for it), or of a sandbox without a process. */
function cgroupName(id: string): string {
  return `crio-${id}`;
}

/**
 * `linux.cgroupsPath` of config.json: `<slice>:crio:<id>` for systemd, which becomes the unit `crio-<id>.scope`, and
 * `<parent>/crio-<id>` for cgroupfs.
 * @throws DomainError invalid-argument when the parent is of the other manager's kind
 */
export function cgroupsPath(manager: CgroupManagerName, cgroupParent: string, id: string): string {
  const parent = checkedCgroupParent(manager, cgroupParent);
  return manager === "systemd" ? `${path.posix.basename(parent)}:crio:${id}` : path.posix.join(parent, cgroupName(id));
}

/** The parent as given, or the manager's default for an empty one. */
export function checkedCgroupParent(manager: CgroupManagerName, cgroupParent: string): string {
  if (manager === "systemd") {
    const parent = cgroupParent === "" ? "system.slice" : cgroupParent;
    if (parent.endsWith(".slice")) return parent;
    throw mismatch(manager, parent, "which is no systemd slice");
  }
  const parent = cgroupParent === "" ? "/crio" : cgroupParent;
  if (parent.endsWith(".slice")) throw mismatch(manager, parent, "which is a systemd slice");
  if (!parent.startsWith("/") || parent.split("/").includes(".."))
    throw mismatch(manager, parent, "which is no absolute cgroup path");
  return parent;
}

function mismatch(manager: CgroupManagerName, parent: string, why: string): DomainError {
  return new DomainError(
    "invalid-argument",
    `the cgroup manager is ${manager}, but the pod's cgroup parent is ${parent}, ${why}: ` +
      `the kubelet and the runtime have to use the same cgroup driver`,
  );
}
