import { isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import type { Metric, SandboxMetrics } from "#domain/runtime.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { UsagePart } from "#drivers/cgroup/usage.ts";
import { nowNs } from "#lib/clock.ts";
import { networkCounters } from "../stats/network-usage.ts";
import type { StatsDrivers } from "../stats/stats-drivers.ts";
import type { WritableLayers } from "../stats/writable-layers.ts";
import type { ContainerFacts } from "./container-facts.ts";
import type { MetricDefinition } from "./definition.ts";
import type { ContainerFamily, MetricFamilies } from "./families.ts";

/** What each family needs to be read of a container's group. */
const partsOf: Readonly<Partial<Record<ContainerFamily, readonly UsagePart[]>>> = {
  cpu: ["cpu", "cpu-detail"],
  diskIO: ["io"],
  hugetlb: ["hugetlb"],
  memory: ["memory", "memory-detail"],
  oom: ["memory-detail"],
  pressure: ["pressure"],
  process: ["pids"],
};

/** Metrics of one pod and its live containers. */
export async function collectMetrics(
  drivers: StatsDrivers,
  layers: WritableLayers,
  families: MetricFamilies,
  sandbox: Sandbox,
): Promise<SandboxMetrics> {
  const live = drivers.containers.index.ofSandbox(sandbox.id).filter(isLive);
  const [interfaces, facts] = await Promise.all([
    families.pod.length === 0 ? [] : networkCounters(drivers, sandbox),
    Promise.all(live.map((container) => collectFacts(drivers, layers, families.families, container))),
  ]);
  const timestampNs = BigInt(nowNs());
  return {
    sandboxId: sandbox.id,
    metrics: samplesOf(families.pod, interfaces ?? [], sandboxLabels(sandbox), timestampNs),
    containers: facts.map((one) => ({
      containerId: one.container.id,
      metrics: samplesOf(families.container, one, containerLabels(sandbox, one.container), timestampNs),
    })),
  };
}

async function collectFacts(
  drivers: StatsDrivers,
  layers: WritableLayers,
  families: ReadonlySet<ContainerFamily>,
  container: Container,
): Promise<ContainerFacts> {
  const parts = [...new Set([...families].flatMap((family) => partsOf[family] ?? []))];
  const [usage, filesystem, processes] = await Promise.all([
    parts.length === 0 ? undefined : drivers.usage.readUsage(container.cgroupsPath, parts),
    families.has("disk") ? drivers.node.filesystemCapacity(drivers.storage.containerRoot) : undefined,
    families.has("process")
      ? drivers.usage.readProcesses(container.cgroupsPath).then((pids) => drivers.node.processUsage(pids))
      : undefined,
  ]);
  const layer = families.has("disk") ? layers.usage(container) : undefined;
  return { container, usage, layer, filesystem, processes, seenAtNs: BigInt(nowNs()) };
}

function samplesOf<F>(
  definitions: readonly MetricDefinition<F>[],
  facts: F,
  labels: readonly string[],
  timestampNs: bigint,
): Metric[] {
  return definitions.flatMap(({ name, type, samples }) =>
    samples(facts).map((sample) => ({
      name,
      timestampNs,
      type,
      labelValues: sample.labels === undefined ? labels : [...labels, ...sample.labels],
      value: sample.value,
    })),
  );
}

/** In the order of `baseLabelKeys`. */
function sandboxLabels({ id, request: { metadata } }: Sandbox): string[] {
  return [id, "POD", "", metadata.namespace, metadata.name, "POD"];
}

/** `name` is what the kubelet's and cAdvisor's naming makes of a container: dashboards group by it. */
function containerLabels(sandbox: Sandbox, { id, request }: Container): string[] {
  const { namespace, name, uid } = sandbox.request.metadata;
  const { metadata, image } = request;
  const fullName = ["k8s", metadata.name, name, namespace, uid, String(metadata.attempt)].join("_");
  const imageName = image.userSpecifiedImage === "" ? image.image : image.userSpecifiedImage;
  return [id, fullName, imageName, namespace, name, metadata.name];
}
