import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";
import type { OciResources } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { awaitsRestore, isLive } from "./container.ts";
import type { Container } from "./container.ts";
import { buildResources } from "./oci-spec/resources.ts";
import { whileRunning } from "./while-running.ts";

/**
 * Changes the limits of a container that has a cgroup; what the request leaves at its zero value stays as it is.
 * Memory without swap also sets the limit of both to that of memory, as when a container is made.
 * @throws DomainError failed-precondition for an ended container or limits below what is in use, invalid-argument for impossible limits
 */
export async function updateContainerResources(
  drivers: ContainerDrivers,
  container: Container,
  requested: LinuxResources,
): Promise<void> {
  if (!isLive(container)) {
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} is ${container.state.kind}: there is nothing to update`,
    );
  }
  if (awaitsRestore(container))
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} has no cgroup until its start restores it from its checkpoint: its limits can be changed then`,
    );
  const policy = await drivers.settings.specPolicy(container.runtimeHandler);
  const { resources, warnings } = buildResources({
    requested,
    cgroup: drivers.security.facts.cgroup,
    minMemoryBytes: policy.minMemoryBytes,
    pidsLimit: 0,
  });
  for (const warning of warnings) drivers.logger.warn(warning, { container: container.id });
  await drivers.cgroups.checkMemoryLimit(container.cgroupsPath, requested.memoryLimitBytes);
  await whileRunning(drivers, container, applied(drivers, container, resources));
  const change = inForce(requested, resources);
  await drivers.store.update(container.id, (current) => ({
    ...current,
    resources: merged(current.resources, change),
  }));
}

/**
 * The part of a request that a runtime was told and has done. A memory limit without a word on swap has set that too; the OOM score of a
 * container is that of its processes, which keep theirs.
 */
function inForce(requested: LinuxResources, resources: OciResources): LinuxResources {
  return {
    ...requested,
    memorySwapLimitBytes: resources.memory?.swap ?? 0,
    oomScoreAdj: 0,
    hugepageLimits: resources.hugepageLimits === undefined ? [] : requested.hugepageLimits,
    unified: resources.unified ?? {},
  };
}

async function applied(drivers: ContainerDrivers, container: Container, resources: OciResources): Promise<void> {
  try {
    await drivers.runtimes.get(container.runtimeHandler).update(container.id, resources);
  } catch (error) {
    throw new DomainError(kindOf(error), `the limits cannot be changed: ${messageOf(error)}`, { cause: error });
  }
}

function merged(before: LinuxResources | undefined, change: LinuxResources): LinuxResources {
  if (before === undefined) return change;
  return {
    cpuPeriodUs: change.cpuPeriodUs || before.cpuPeriodUs,
    cpuQuotaUs: change.cpuQuotaUs || before.cpuQuotaUs,
    cpuShares: change.cpuShares || before.cpuShares,
    memoryLimitBytes: change.memoryLimitBytes || before.memoryLimitBytes,
    memorySwapLimitBytes: change.memorySwapLimitBytes || before.memorySwapLimitBytes,
    oomScoreAdj: change.oomScoreAdj || before.oomScoreAdj,
    cpusetCpus: change.cpusetCpus || before.cpusetCpus,
    cpusetMems: change.cpusetMems || before.cpusetMems,
    hugepageLimits: [
      ...before.hugepageLimits.filter(
        ({ pageSize }) => !change.hugepageLimits.some((one) => one.pageSize === pageSize),
      ),
      ...change.hugepageLimits,
    ],
    unified: { ...before.unified, ...change.unified },
  };
}
