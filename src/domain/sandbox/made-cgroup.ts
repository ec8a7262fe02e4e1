import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import type { Sandbox } from "./sandbox.ts";

type MadeCgroupDrivers = Pick<SandboxDrivers, "store"> & {
  cgroups: Pick<SandboxDrivers["cgroups"], "missingParent" | "createParent" | "removeParent">;
};

/** One for all, since different parents may lie in one that berth has made. */
const changes = new KeyedMutex<"parents">();

/** The uppermost part of a parent cgroup's path that berth makes for a pod, or has made for those that share it. */
export function madeCgroupOf({ store, cgroups }: MadeCgroupDrivers, cgroupParent: string): string | undefined {
  if (cgroupParent === "") return undefined;
  const isSharing = (one: Sandbox): boolean => one.cgroupParent === cgroupParent && one.madeCgroup !== undefined;
  return cgroups.missingParent(cgroupParent) ?? store.index.all().find(isSharing)?.madeCgroup;
}

/**
 * Makes a pod's parent cgroup where berth has to, also when the pod that it was made for is just taking it away. The pod's record is there already,
 * so that it stays from now on. Undone by `releaseMadeCgroup`.
 */
export async function makeCgroup({ cgroups }: MadeCgroupDrivers, { cgroupParent, madeCgroup }: Sandbox): Promise<void> {
  if (madeCgroup !== undefined) await changes.run("parents", () => cgroups.createParent(cgroupParent));
}

/**
 * Takes away what berth has made of a pod's parent cgroup, unless other pods are in it or will be: groups of theirs that are still being made are
 * empty, and would be taken for what the pod has left. The last one takes it away. Idempotent.
 */
export async function releaseMadeCgroup({ store, cgroups }: MadeCgroupDrivers, sandbox: Sandbox): Promise<void> {
  const { id, cgroupParent, madeCgroup } = sandbox;
  if (madeCgroup === undefined) return;
  // Pods that cannot be made at the same time would each leave it to the other.
  const current = store.index.current(id);
  if (current?.state.kind === "creating") store.adopt({ ...current, state: { kind: "creating", failed: true } });
  await changes.run("parents", async () => {
    const others = store.index.all().filter((one) => one.id !== id && one.cgroupParent === cgroupParent);
    if (others.every(isLeaving)) await cgroups.removeParent(cgroupParent, madeCgroup);
  });
}

function isLeaving({ state }: Sandbox): boolean {
  return state.kind === "removing" || (state.kind === "creating" && state.failed === true);
}
