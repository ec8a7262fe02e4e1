import path from "node:path";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import {
  ContainerState,
  ImageService,
  NamespaceMode,
  RuntimeService,
  type ContainerConfigSchema,
  type ContainerStatus,
  type ExecSyncResponse,
  type LinuxContainerConfigSchema,
  type LinuxContainerSecurityContextSchema,
  type LinuxPodSandboxConfigSchema,
  type PodSandboxConfigSchema,
  type PodSandboxStatus,
} from "#cri/gen/runtime/v1/api_pb.ts";
import type { TestDaemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import { parseLog, type LogLine } from "./cri-log.ts";

/** A message as a plain object with only the fields that matter. */
type Plain<D extends DescMessage> = Exclude<MessageInitShape<D>, { $typeName: string }>;

export type SecurityContext = Plain<typeof LinuxContainerSecurityContextSchema>;

export type PodConfig = Omit<Plain<typeof PodSandboxConfigSchema>, "linux"> & {
  linux?: Plain<typeof LinuxPodSandboxConfigSchema>;
};

export type ContainerConfig = Omit<Plain<typeof ContainerConfigSchema>, "linux"> & {
  linux?: Omit<Plain<typeof LinuxContainerConfigSchema>, "securityContext"> & { securityContext?: SecurityContext };
};

export interface Pod {
  id: string;
  config: PodConfig;
}

/** A command that runs until it gets the stop signal: process 1 of a PID namespace ignores signals it has no handler for. */
export const untilTerminated = ["sh", "-c", 'trap "exit 0" TERM; while true; do sleep 1000 & wait $!; done'];

/** The same around a command line that would not end by itself. */
export function endingWhenTold(line: string): string[] {
  return ["sh", "-c", `trap "exit 0" TERM; ${line} & wait $!`];
}

let serial = 0;

/** A kubelet's choice unless a pod shares its processes: each container has its own. */
const ownProcesses = { namespaceOptions: { pid: NamespaceMode.CONTAINER } };

/** A pod's configuration as a kubelet would send it: own cgroup parent, own log directory, a new uid. */
export function podConfig(daemon: TestDaemon, name: string, more: PodConfig = {}): PodConfig {
  serial += 1;
  const uid = `uid-${process.pid}-${serial}`;
  return {
    metadata: { name, namespace: "test", uid, attempt: 0 },
    logDirectory: path.join(daemon.places.podLogFolder, `test_${name}_${uid}`),
    labels: { "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "test", "io.kubernetes.pod.uid": uid },
    ...more,
    linux: { cgroupParent: daemon.places.cgroupParent, securityContext: ownProcesses, ...more.linux },
  };
}

export async function runPod(
  daemon: TestDaemon,
  name: string,
  more: PodConfig = {},
  runtimeHandler = "",
): Promise<Pod> {
  const config = podConfig(daemon, name, more);
  const { podSandboxId } = await daemon.client.call(RuntimeService.method.runPodSandbox, { config, runtimeHandler });
  return { id: podSandboxId, config };
}

export async function podStatus(daemon: TestDaemon, id: string): Promise<PodSandboxStatus> {
  const { status } = await daemon.client.call(RuntimeService.method.podSandboxStatus, { podSandboxId: id });
  if (status === undefined) throw new Error(`the status of pod ${id} is empty`);
  return status;
}

export async function stopPod(daemon: TestDaemon, id: string): Promise<void> {
  await daemon.client.call(RuntimeService.method.stopPodSandbox, { podSandboxId: id });
}

/** Stops and removes a pod. */
export async function removePod(daemon: TestDaemon, id: string): Promise<void> {
  await stopPod(daemon, id);
  await daemon.client.call(RuntimeService.method.removePodSandbox, { podSandboxId: id });
}

export async function pull(daemon: TestDaemon, image: string): Promise<string> {
  const { imageRef } = await daemon.client.call(ImageService.method.pullImage, { image: { image } });
  return imageRef;
}

/** A container's configuration: the command, and a log path named after the container. */
export function containerConfig(
  image: string,
  name: string,
  command: string[],
  more: ContainerConfig = {},
): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image },
    command,
    logPath: `${name}/0.log`,
    labels: { "io.kubernetes.container.name": name },
    ...more,
    linux: { ...more.linux, securityContext: { ...ownProcesses, ...more.linux?.securityContext } },
  };
}

export async function createContainer(daemon: TestDaemon, pod: Pod, config: ContainerConfig): Promise<string> {
  const request = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  const { containerId } = await daemon.client.call(RuntimeService.method.createContainer, request);
  return containerId;
}

export async function startContainer(daemon: TestDaemon, containerId: string): Promise<void> {
  await daemon.client.call(RuntimeService.method.startContainer, { containerId });
}

/** Creates and starts. */
export async function runContainer(daemon: TestDaemon, pod: Pod, config: ContainerConfig): Promise<string> {
  const id = await createContainer(daemon, pod, config);
  await startContainer(daemon, id);
  return id;
}

export async function containerStatus(daemon: TestDaemon, containerId: string): Promise<ContainerStatus> {
  const { status } = await daemon.client.call(RuntimeService.method.containerStatus, { containerId });
  if (status === undefined) throw new Error(`the status of container ${containerId} is empty`);
  return status;
}

/** The container's status once it has ended. */
export function exited(daemon: TestDaemon, containerId: string): Promise<ContainerStatus> {
  return eventually(`container ${containerId} to end`, async () => {
    const status = await containerStatus(daemon, containerId);
    return status.state === ContainerState.CONTAINER_EXITED ? status : undefined;
  });
}

/** Runs a container to its end; its status and the lines it logged. */
export async function runToEnd(
  daemon: TestDaemon,
  pod: Pod,
  config: ContainerConfig,
): Promise<{ id: string; status: ContainerStatus; lines: LogLine[]; stdout: string; stderr: string }> {
  const id = await runContainer(daemon, pod, config);
  const status = await exited(daemon, id);
  const lines = parseLog(status.logPath);
  return { id, status, lines, stdout: textOf(lines, "stdout"), stderr: textOf(lines, "stderr") };
}

/** What a stream of the log said, whole. */
export function textOf(lines: readonly LogLine[], stream: "stdout" | "stderr"): string {
  return lines
    .filter((line) => line.stream === stream)
    .map((line) => line.text + (line.partial ? "" : "\n"))
    .join("");
}

export interface ExecOutcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export async function exec(
  daemon: TestDaemon,
  containerId: string,
  cmd: string[],
  timeoutSeconds = 20,
): Promise<ExecOutcome> {
  const answer: ExecSyncResponse = await daemon.client.call(RuntimeService.method.execSync, {
    containerId,
    cmd,
    timeout: BigInt(timeoutSeconds),
  });
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
  return { exitCode: answer.exitCode, stdout: text(answer.stdout), stderr: text(answer.stderr) };
}
