import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ContainerEventType,
  ContainerState,
  PodSandboxState,
  RuntimeService,
  type ContainerEventResponse,
  type PodSandboxMetrics,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, exec, exited, removePod, runContainer, runPod, runToEnd, type Pod } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { containerStats, listContainerStats, podSandboxStats, listPodSandboxStats } = RuntimeService.method;
const { listMetricDescriptors, listPodSandboxMetrics, getContainerEvents, stopContainer, removeContainer } =
  RuntimeService.method;

const mebibyte = 1024 ** 2;
const busy = ["sh", "-c", 'trap "exit 0" TERM; while true; do :; done'];
const idle = ["sh", "-c", 'trap "exit 0" TERM; while true; do sleep 1 & wait $!; done'];

describe("usage", { skip: cannotRunPods() }, () => {
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.stats": 'included_pod_metrics = ["all"]',
    },
  }));

  it("of a container grows with what it does", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "busy");
    const containerId = await runContainer(daemon, pod, containerConfig(busybox, "busy", busy));
    const stats = await eventually("a rate of CPU use", async () => {
      const { stats: now } = await daemon.client.call(containerStats, { containerId });
      return (now?.cpu?.usageNanoCores?.value ?? 0n) > 0n ? now : undefined;
    });
    assert.equal(stats.attributes?.metadata?.name, "busy");
    assert.equal(stats.attributes.labels["io.kubernetes.container.name"], "busy");
    assert.ok((stats.cpu?.usageCoreNanoSeconds?.value ?? 0n) > 0n);
    assert.ok((stats.memory?.workingSetBytes?.value ?? 0n) > 0n);

    const all = await daemon.client.call(listContainerStats, { filter: { podSandboxId: pod.id } });
    assert.deepEqual(
      all.stats.map(({ attributes }) => attributes?.id),
      [containerId],
    );
    await removePod(daemon, pod.id);
    await assert.rejects(daemon.client.call(containerStats, { containerId }), /not found|there is no/);
  });

  it("of a writable layer counts what was written, also after the container's end", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "writer");
    const write = ["sh", "-c", "dd if=/dev/zero of=/written bs=1048576 count=3 2>/dev/null"];
    const { id: containerId } = await runToEnd(daemon, pod, containerConfig(busybox, "writer", write));
    const layer = await eventually("the layer to be measured", async () => {
      const { stats } = await daemon.client.call(containerStats, { containerId });
      assert.equal(stats?.cpu, undefined);
      return stats?.writableLayer;
    });
    const used = Number(layer.usedBytes?.value ?? 0n);
    assert.ok(used >= 3 * mebibyte && used < 4 * mebibyte, `${used} bytes`);
    assert.ok((layer.inodesUsed?.value ?? 0n) > 0n);
    const { stats } = await daemon.client.call(listContainerStats, {});
    assert.deepEqual(stats, []);
    await removePod(daemon, pod.id);
  });

  it("of a pod has its network, its processes and its containers", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "networked");
    const containerId = await runContainer(daemon, pod, containerConfig(busybox, "app", idle));
    await exec(daemon, containerId, ["ping", "-c", "1", `${daemon.places.subnetPrefix}.1`]);
    const { stats } = await daemon.client.call(podSandboxStats, { podSandboxId: pod.id });
    const usage = stats?.linux;
    assert.equal(stats?.attributes?.metadata?.name, "networked");
    assert.equal(usage?.network?.defaultInterface?.name, "eth0");
    assert.ok((usage.network.defaultInterface.txBytes?.value ?? 0n) > 0n);
    assert.ok((usage.process?.processCount?.value ?? 0n) >= 1n);
    assert.ok((usage.memory?.usageBytes?.value ?? 0n) > 0n);
    assert.deepEqual(
      usage.containers.map(({ attributes }) => attributes?.id),
      [containerId],
    );
    const listed = await daemon.client.call(listPodSandboxStats, {});
    assert.deepEqual(
      listed.stats.map(({ attributes }) => attributes?.id),
      [pod.id],
    );
    await removePod(daemon, pod.id);
  });

  it("is told as metrics that the descriptors describe", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "measured");
    const containerId = await runContainer(daemon, pod, containerConfig(busybox, "app", idle));
    const { descriptors } = await daemon.client.call(listMetricDescriptors, {});
    assert.equal(descriptors.length, 56);
    const { podMetrics } = await daemon.client.call(listPodSandboxMetrics, {});
    const metrics: PodSandboxMetrics | undefined = podMetrics.find(({ podSandboxId }) => podSandboxId === pod.id);
    const ofContainer = metrics?.containerMetrics.find((one) => one.containerId === containerId)?.metrics ?? [];
    for (const metric of [...(metrics?.metrics ?? []), ...ofContainer]) {
      const descriptor = descriptors.find(({ name }) => name === metric.name);
      assert.equal(metric.labelValues.length, descriptor?.labelKeys.length, metric.name);
    }
    const value = (name: string): bigint | undefined => ofContainer.find((one) => one.name === name)?.value?.value;
    assert.ok((value("container_memory_usage_bytes") ?? 0n) > 0n);
    assert.ok((value("container_processes") ?? 0n) >= 1n);
    assert.ok((value("container_file_descriptors") ?? 0n) >= 3n);
    assert.ok((value("container_fs_limit_bytes") ?? 0n) > 0n);
    assert.ok(metrics?.metrics.some(({ name }) => name === "container_network_receive_bytes_total"));
    await removePod(daemon, pod.id);
  });
});

describe("container events", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  const { CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT, CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT } =
    ContainerEventType;

  /** The events of one pod, until its sandbox is deleted; the stream ends with it. */
  async function eventsUntilDeleted(podId: string): Promise<ContainerEventResponse[]> {
    const seen: ContainerEventResponse[] = [];
    for await (const event of suite.daemon.client.stream(getContainerEvents, {})) {
      if (event.podSandboxStatus?.id !== podId) continue;
      seen.push(event);
      if (event.containerId === podId && event.containerEventType === CONTAINER_DELETED_EVENT) break;
    }
    return seen;
  }

  const told = (pod: Pod, events: readonly ContainerEventResponse[]): [string, ContainerEventType][] =>
    events.map(({ containerId, containerEventType }) => [
      containerId === pod.id ? "sandbox" : "container",
      containerEventType,
    ]);

  it("tell a pod's whole life in order, with its state at each step, also to who comes late", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "told");
    // What happened before the subscription is told as well.
    const following = eventsUntilDeleted(pod.id);
    const containerId = await runContainer(daemon, pod, containerConfig(busybox, "app", idle));
    await daemon.client.call(stopContainer, { containerId, timeout: 5n });
    await exited(daemon, containerId);
    await daemon.client.call(removeContainer, { containerId });
    await removePod(daemon, pod.id);
    const events = await following;
    assert.deepEqual(told(pod, events), [
      ["sandbox", CONTAINER_CREATED_EVENT],
      ["sandbox", CONTAINER_STARTED_EVENT],
      ["container", CONTAINER_CREATED_EVENT],
      ["container", CONTAINER_STARTED_EVENT],
      ["container", CONTAINER_STOPPED_EVENT],
      ["container", CONTAINER_DELETED_EVENT],
      ["sandbox", CONTAINER_STOPPED_EVENT],
      ["sandbox", CONTAINER_DELETED_EVENT],
    ]);
    assert.deepEqual(
      events.map(({ containersStatuses }) => containersStatuses[0]?.state),
      [
        undefined,
        undefined,
        ContainerState.CONTAINER_CREATED,
        ContainerState.CONTAINER_RUNNING,
        ContainerState.CONTAINER_EXITED,
        undefined,
        undefined,
        undefined,
      ],
    );
    assert.equal(events[1]?.podSandboxStatus?.state, PodSandboxState.SANDBOX_READY);
    assert.equal(events.at(-1)?.podSandboxStatus?.state, PodSandboxState.SANDBOX_NOTREADY);
    assert.equal(events.at(-1)?.podSandboxStatus?.metadata?.uid, pod.config.metadata?.uid);
    const times = events.map(({ createdAt }) => createdAt);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => Number(a - b)),
    );

    assert.deepEqual(told(pod, await eventsUntilDeleted(pod.id)), told(pod, events));
  });

  it("tell the end of a container that exits by itself", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "quick");
    const { id } = await runToEnd(daemon, pod, containerConfig(busybox, "quick", ["sh", "-c", "exit 3"]));
    await removePod(daemon, pod.id);
    const stopped = (await eventsUntilDeleted(pod.id)).find(
      (event) => event.containerId === id && event.containerEventType === CONTAINER_STOPPED_EVENT,
    );
    assert.equal(stopped?.containersStatuses[0]?.exitCode, 3);
  });
});
