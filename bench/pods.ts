import { existsSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  NamespaceMode,
  RuntimeService,
  type ContainerConfigSchema,
  type PodSandboxConfigSchema,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../test/support/eventually.ts";
import type { Daemon } from "./daemons/daemon.ts";
import { inParallel } from "./measure/in-parallel.ts";
import { timedMs } from "./measure/timed.ts";

type PodConfig = MessageInitShape<typeof PodSandboxConfigSchema>;
type ContainerConfig = MessageInitShape<typeof ContainerConfigSchema>;

export interface Pod {
  id: string;
  config: PodConfig;
  /** The container of the pod, if it has been made. */
  containerId: string;
}

/** How long the three requests took that start a pod with one container. */
export interface StartTimes {
  runPodSandboxMs: number;
  createContainerMs: number;
  startContainerMs: number;
}

/** How long the four requests took that end it. */
export interface EndTimes {
  stopContainerMs: number;
  removeContainerMs: number;
  stopPodSandboxMs: number;
  removePodSandboxMs: number;
}

/**
 * Waits without using the processor, and ends at once on SIGTERM, as a well-behaved service does. It says when it is ready: a
 * signal before that is lost, since the kernel protects the first process of a pod.
 */
export const serviceScript = "trap 'exit 0' TERM; mkfifo /tmp/never; exec 3<>/tmp/never; echo ready; read line <&3";

export const serviceCommand = ["sh", "-c", serviceScript];

const { method } = RuntimeService;
const stopTimeoutSeconds = 30n;
let serial = 0;

/** Each container has processes of its own: what a kubelet asks for unless a pod shares them. */
const securityContext = { namespaceOptions: { pid: NamespaceMode.CONTAINER } };

/** A pod's configuration as a kubelet would send it. */
export function podConfig(daemon: Daemon): PodConfig {
  serial += 1;
  const name = `pod-${serial}`;
  const uid = `00000000-0000-4000-8000-${serial.toString(16).padStart(12, "0")}`;
  return {
    metadata: { name, namespace: "bench", uid, attempt: 0 },
    hostname: name,
    logDirectory: path.join(daemon.podLogFolder, `bench_${name}_${uid}`),
    dnsConfig: {
      servers: ["10.96.0.10"],
      searches: ["bench.svc.cluster.local", "svc.cluster.local"],
      options: ["ndots:5"],
    },
    labels: { "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "bench", "io.kubernetes.pod.uid": uid },
    annotations: { "kubernetes.io/config.source": "api" },
    linux: { cgroupParent: daemon.podsCgroup, securityContext },
  };
}

/** A container of a pod of the Burstable class. */
export function containerConfig(image: string, name = "main", command = serviceCommand): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image, userSpecifiedImage: image },
    command,
    logPath: `${name}/0.log`,
    labels: { "io.kubernetes.container.name": name },
    annotations: { "io.kubernetes.container.restartCount": "0" },
    linux: { resources: { cpuPeriod: 100_000n, cpuShares: 102n, oomScoreAdj: 999n }, securityContext },
  };
}

/** Starts a pod with one container. */
export async function startPod(
  daemon: Daemon,
  image: string,
  command?: string[],
): Promise<{ pod: Pod; times: StartTimes }> {
  const pod: Pod = { id: "", config: podConfig(daemon), containerId: "" };
  const runPodSandboxMs = await timedMs(async () => {
    pod.id = (await daemon.client.call(method.runPodSandbox, { config: pod.config })).podSandboxId;
  });
  const createContainerMs = await timedMs(async () => {
    pod.containerId = await createContainer(daemon, pod, containerConfig(image, "main", command));
  });
  const startContainerMs = await timedMs(() =>
    daemon.client.call(method.startContainer, { containerId: pod.containerId }),
  );
  return { pod, times: { runPodSandboxMs, createContainerMs, startContainerMs } };
}

/** Creates and starts one more container in a pod; gives back its id. */
export async function addContainer(daemon: Daemon, pod: Pod, image: string, name: string): Promise<string> {
  const containerId = await createContainer(daemon, pod, containerConfig(image, name));
  await daemon.client.call(method.startContainer, { containerId });
  return containerId;
}

async function createContainer(daemon: Daemon, pod: Pod, config: ContainerConfig): Promise<string> {
  // The kubelet makes the folder of a container's log.
  await mkdir(path.dirname(logPath(pod, config)), { recursive: true });
  const request = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  return (await daemon.client.call(method.createContainer, request)).containerId;
}

function logPath(pod: Pod, config: ContainerConfig): string {
  return path.join(String(pod.config.logDirectory), String(config.logPath));
}

/** Waits until the service has said that it is ready; a stop would otherwise wait for its whole grace time. */
export async function serviceReady({ config }: Pod): Promise<void> {
  const log = path.join(String(config.logDirectory), "main/0.log");
  await eventually(`the service to say that it is ready in ${log}`, () =>
    existsSync(log) && statSync(log).size > 0 ? true : undefined,
  );
}

/** Ends a pod as a kubelet does: the container first. */
export async function endPod(daemon: Daemon, { id, containerId }: Pod): Promise<EndTimes> {
  const { client } = daemon;
  const podSandboxId = id;
  return {
    stopContainerMs: await timedMs(() =>
      client.call(method.stopContainer, { containerId, timeout: stopTimeoutSeconds }),
    ),
    removeContainerMs: await timedMs(() => client.call(method.removeContainer, { containerId })),
    stopPodSandboxMs: await timedMs(() => client.call(method.stopPodSandbox, { podSandboxId })),
    removePodSandboxMs: await timedMs(() => client.call(method.removePodSandbox, { podSandboxId })),
  };
}

/** Takes pods away, whatever is in them. */
export async function removePods(daemon: Daemon, pods: readonly Pod[], atOnce = 4): Promise<void> {
  await inParallel(pods.length, atOnce, async (index) => {
    const podSandboxId = pods[index]?.id ?? "";
    await daemon.client.call(method.stopPodSandbox, { podSandboxId });
    await daemon.client.call(method.removePodSandbox, { podSandboxId });
  });
}

/** Takes away every pod that the daemon lists. */
export async function removeAllPods(daemon: Daemon): Promise<void> {
  const { items } = await daemon.client.call(method.listPodSandbox, {});
  const ours = items.filter((item) => item.metadata?.namespace === "bench");
  await removePods(
    daemon,
    ours.map(({ id }) => ({ id, config: {}, containerId: "" })),
  );
}

/** The duration of a whole start or end. */
export function totalMs(times: StartTimes | EndTimes): number {
  return Object.values<number>({ ...times }).reduce((sum, ms) => sum + ms, 0);
}
