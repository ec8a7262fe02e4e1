import { isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import type { ContainerStats, SandboxStats } from "#domain/runtime.ts";
import { isReady } from "#domain/sandbox/sandbox.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { nowNs } from "#lib/clock.ts";
import type { CpuRates } from "./cpu-rates.ts";
import { networkCounters, networkUsage } from "./network-usage.ts";
import { hasOwnGroup } from "./pod-group.ts";
import { noUsage, resourceUsage, statsParts, sumOfUsage } from "./resource-usage.ts";
import type { ResourceUsage } from "./resource-usage.ts";
import type { StatsDrivers } from "./stats-drivers.ts";
import type { WritableLayers } from "./writable-layers.ts";

/** What is remembered between two collections. */
export interface StatsMemory {
  rates: CpuRates;
  layers: WritableLayers;
}

/** Usage of one container as it is now; one that has ended has a layer and nothing else. */
export async function collectContainer(
  drivers: StatsDrivers,
  { rates, layers }: StatsMemory,
  container: Container,
): Promise<ContainerStats> {
  const usage = isLive(container) ? await drivers.usage.readUsage(container.cgroupsPath, statsParts) : undefined;
  return { container, ...resourceUsage(usage, container.id, rates), writableLayer: layers.usage(container) };
}

/** Usage of one pod and its live containers as it is now; a pod that has been stopped has neither. */
export async function collectSandbox(
  drivers: StatsDrivers,
  memory: StatsMemory,
  sandbox: Sandbox,
): Promise<SandboxStats> {
  if (!isReady(sandbox))
    return { sandbox, ...withoutSwap(noUsage), network: undefined, processes: undefined, containers: [] };
  const live = drivers.containers.index.ofSandbox(sandbox.id).filter(isLive);
  const [own, network, containers] = await Promise.all([
    hasOwnGroup(drivers, sandbox) ? readOwnGroup(drivers, memory, sandbox) : undefined,
    networkCounters(drivers, sandbox),
    Promise.all(live.map((container) => collectContainer(drivers, memory, container))),
  ]);
  const present = containers.filter(({ container }) => drivers.containers.index.current(container.id) !== undefined);
  return {
    sandbox,
    ...withoutSwap(own?.usage ?? sumOfUsage(present)),
    network: network && networkUsage(network),
    processes: own?.processes ?? (await sumOfProcesses(drivers, live)),
    containers: present,
  };
}

async function readOwnGroup(
  drivers: StatsDrivers,
  { rates }: StatsMemory,
  sandbox: Sandbox,
): Promise<{ usage: ResourceUsage; processes: SandboxStats["processes"] } | undefined> {
  const usage = await drivers.usage.readUsage(sandbox.cgroupParent, [...statsParts, "pids"]);
  if (usage === undefined) return undefined;
  const { timestampNs, pids } = usage;
  return {
    usage: resourceUsage(usage, sandbox.id, rates),
    processes: pids && { timestampNs, count: pids.tasks },
  };
}

async function sumOfProcesses(
  drivers: StatsDrivers,
  containers: readonly Container[],
): Promise<SandboxStats["processes"]> {
  const read = await Promise.all(containers.map(({ cgroupsPath }) => drivers.usage.readUsage(cgroupsPath, ["pids"])));
  const counts = read.flatMap((usage) => usage?.pids?.tasks ?? []);
  if (counts.length === 0) return undefined;
  return { timestampNs: BigInt(nowNs()), count: counts.reduce((sum, count) => sum + count, 0) };
}

/** The CRI has swap for containers only. */
function withoutSwap({ cpu, memory, io }: ResourceUsage): Omit<ResourceUsage, "swap"> {
  return { cpu, memory, io };
}
