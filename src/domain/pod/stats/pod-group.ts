import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { StatsDrivers } from "./stats-drivers.ts";

/**
 * True when the sandbox's cgroup parent is that of its pod alone. The kubelet makes one per pod, which attempts of the pod
 * share; other clients give the same parent to many pods, or none.
 */
export function hasOwnGroup({ sandboxes }: Pick<StatsDrivers, "sandboxes">, sandbox: Sandbox): boolean {
  if (sandbox.cgroupParent === "") return false;
  return podsByParent(sandboxes.index.all()).get(sandbox.cgroupParent)?.size === 1;
}

/** Kept for as long as no sandbox comes or goes, since a list asks for every pod. */
const computed = new WeakMap<readonly Sandbox[], ReadonlyMap<string, ReadonlySet<string>>>();

function podsByParent(sandboxes: readonly Sandbox[]): ReadonlyMap<string, ReadonlySet<string>> {
  const known = computed.get(sandboxes);
  if (known !== undefined) return known;
  const pods = new Map<string, Set<string>>();
  for (const { cgroupParent, request } of sandboxes) {
    const uids = pods.get(cgroupParent) ?? new Set();
    pods.set(cgroupParent, uids.add(request.metadata.uid));
  }
  computed.set(sandboxes, pods);
  return pods;
}
