import type { SandboxDrivers } from "./sandbox-drivers.ts";
import type { Sandbox } from "./sandbox.ts";

type MadeCgroupDrivers = Pick<SandboxDrivers, "store"> & {
  cgroups: Pick<SandboxDrivers["cgroups"], "missingParent" | "removeParent">;
};

/** The uppermost part of a parent cgroup's path that berth makes for a pod, or has made for those that share it. */
export function madeCgroupOf({ store, cgroups }: MadeCgroupDrivers, cgroupParent: string): string | undefined {
  if (cgroupParent === "") return undefined;
  const isSharing = (one: Sandbox): boolean => one.cgroupParent === cgroupParent && one.madeCgroup !== undefined;
  return cgroups.missingParent(cgroupParent) ?? store.index.all().find(isSharing)?.madeCgroup;
}

/**
 * Takes away what berth has made of a pod's parent cgroup, unless other pods are in it: groups of theirs that are still being made are empty, and
 * would be taken for what the pod has left. The last one takes it away. Idempotent.
 */
export async function releaseMadeCgroup({ store, cgroups }: MadeCgroupDrivers, sandbox: Sandbox): Promise<void> {
  const { id, cgroupParent, madeCgroup } = sandbox;
  if (madeCgroup === undefined) return;
  const others = store.index.all().filter((one) => one.id !== id && one.cgroupParent === cgroupParent);
  // Of pods that are removed, or cannot be made, at the same time each would leave it to the other.
  if (others.some(({ state }) => state.kind !== "removing" && state.kind !== "creating")) return;
  await cgroups.removeParent(cgroupParent, madeCgroup);
}
