import { isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { GroupLimits } from "#drivers/cgroup/index.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** The CRI's default for a quota without a period, in microseconds. */
const defaultPeriodUs = 100_000;

/**
 * Sets the limits of a pod's cgroup to what its containers and its overhead may use together. A pod in the daemon's default parent, which
 * it shares with others, has no cgroup of its own and stays as it is.
 * @throws DomainError as the cgroup driver does
 */
export async function applyPodLimits(
  drivers: PodDrivers,
  sandbox: Sandbox,
  overhead: LinuxResources | undefined,
  resources: LinuxResources | undefined,
): Promise<void> {
  if (sandbox.cgroupParent === "") return;
  const wanted = podLimits(overhead, resources);
  const { cgroups } = drivers.sandbox;
  const known = await keepsUnlimited(drivers, sandbox);
  await cgroups.setLimits(sandbox.cgroupParent, {
    ...wanted,
    cpuQuotaUs: known.cpu ? 0 : wanted.cpuQuotaUs,
    memoryLimitBytes: known.memory ? 0 : wanted.memoryLimitBytes,
  });
}

/**
 * Which limits a pod has to stay without. The kubelet sends the sum of the limits that its containers have, also when others have none;
 * it then gave the pod's cgroup no limit, and one of that sum would be too low.
 */
async function keepsUnlimited(drivers: PodDrivers, sandbox: Sandbox): Promise<{ cpu: boolean; memory: boolean }> {
  if (sandbox.madeCgroup !== undefined) return { cpu: false, memory: false };
  const now = await drivers.sandbox.cgroups.limited(sandbox.cgroupParent);
  const containers = drivers.container.store.index.all().filter((one) => one.sandboxId === sandbox.id && isLive(one));
  const someLack = (has: (container: Container) => boolean): boolean => containers.some((one) => !has(one));
  return {
    cpu: !now.cpu && someLack((container) => (container.resources?.cpuQuotaUs ?? 0) > 0),
    memory: !now.memory && someLack((container) => (container.resources?.memoryLimitBytes ?? 0) > 0),
  };
}

/** Containers and overhead together. Without a limit of the containers there is none of the pod. */
export function podLimits(overhead: LinuxResources | undefined, resources: LinuxResources | undefined): GroupLimits {
  const periodUs = resources?.cpuPeriodUs || defaultPeriodUs;
  return {
    cpuShares: (resources?.cpuShares ?? 0) + (overhead?.cpuShares ?? 0),
    cpuPeriodUs: resources?.cpuPeriodUs ?? 0,
    cpuQuotaUs: withOverhead(resources?.cpuQuotaUs ?? 0, quotaIn(periodUs, overhead)),
    memoryLimitBytes: withOverhead(resources?.memoryLimitBytes ?? 0, overhead?.memoryLimitBytes ?? 0),
    hugepageLimits: resources?.hugepageLimits ?? [],
    unified: resources?.unified ?? {},
  };
}

function withOverhead(limit: number, overhead: number): number {
  return limit > 0 ? limit + Math.max(0, overhead) : limit;
}

/** A quota counted for another period. */
function quotaIn(periodUs: number, overhead: LinuxResources | undefined): number {
  const quotaUs = overhead?.cpuQuotaUs ?? 0;
  return Math.round((quotaUs * periodUs) / (overhead?.cpuPeriodUs || defaultPeriodUs));
}
