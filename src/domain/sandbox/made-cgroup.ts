import type { CgroupParents } from "#drivers/cgroup/index.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import type { Sandbox } from "./sandbox.ts";

type MadeCgroupDrivers = Pick<SandboxDrivers, "store"> & { cgroups: CgroupParents };

/** One for all, since different parents may lie in one that berth has made. */
const changes = new KeyedMutex<"parents">();

/**
 * The uppermost part of a parent cgroup's path that berth makes for a pod, or has made for others: their parent may be the same, lie in it, or
 * have it in itself. What the kubelet has made stays the kubelet's, also inside of what berth has.
 */
export function madeCgroupOf({ store, cgroups }: MadeCgroupDrivers, cgroupParent: string): string | undefined {
  if (cgroupParent === "") return undefined;
  const lineage = cgroups.lineage(cgroupParent);
  const missing = cgroups.missingParent(cgroupParent);
  const lowestThere = missing === undefined ? lineage.at(-1) : lineage[lineage.indexOf(missing) - 1];
  const hasMadeIt = (one: Sandbox): boolean => lowestThere !== undefined && madeFor(cgroups, one).includes(lowestThere);
  return store.index.all().find(hasMadeIt)?.madeCgroup ?? missing;
}

/** All the groups that berth has made, or is about to make, for a pod. */
function madeFor(cgroups: CgroupParents, { cgroupParent, madeCgroup }: Sandbox): readonly string[] {
  if (madeCgroup === undefined) return [];
  const lineage = cgroups.lineage(cgroupParent);
  return lineage.includes(madeCgroup) ? lineage.slice(lineage.indexOf(madeCgroup)) : [];
}

/**
 * Makes a pod's parent cgroup where berth has to, also when the pod that it was made for is just taking it away. The pod's record is there already,
 * so that it stays from now on. Undone by `releaseMadeCgroup`.
 */
export async function makeCgroup({ cgroups }: MadeCgroupDrivers, { cgroupParent, madeCgroup }: Sandbox): Promise<void> {
  if (madeCgroup !== undefined) await changes.run("parents", () => cgroups.createParent(cgroupParent));
}

/**
 * Takes away what berth has made of a pod's parent cgroup, but for what other pods are in or will be: groups of theirs that are still being made are
 * empty, and would be taken for what the pod has left. The last one takes it away. Idempotent.
 */
export async function releaseMadeCgroup({ store, cgroups }: MadeCgroupDrivers, sandbox: Sandbox): Promise<void> {
  const { id, cgroupParent, madeCgroup } = sandbox;
  if (madeCgroup === undefined) return;
  // Pods that cannot be made at the same time would each leave it to the other.
  const current = store.index.current(id);
  if (current?.state.kind === "creating") store.adopt({ ...current, state: { kind: "creating", failed: true } });
  await changes.run("parents", async () => {
    const staying = store.index.all().filter((one) => one.id !== id && one.cgroupParent !== "" && !isLeaving(one));
    const kept = staying.map((one) => one.cgroupParent);
    await cgroups.removeParent(cgroupParent, madeCgroup, kept);
  });
}

function isLeaving({ state }: Sandbox): boolean {
  return state.kind === "removing" || (state.kind === "creating" && state.failed === true);
}
