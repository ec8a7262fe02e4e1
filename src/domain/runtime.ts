import type { Container } from "#domain/container/container.ts";
import type { ContainerRequest } from "#domain/container/request.ts";
import type { Image, LayerProgress, PullRequest } from "#domain/image/image.ts";
import type { LinuxResources, SandboxRequest } from "#domain/sandbox/request.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { Pressure } from "#spec/pressure.ts";

// What the edges call: the CRI server and the streaming server see these interfaces and nothing behind them. Ids given in are
// full ids or unique prefixes; an ambiguous prefix is invalid-argument, an unknown one not-found unless said otherwise.

/** Pod sandboxes. */
export interface Sandboxes {
  /** Makes the pod and gives its id once it is ready; a second call for the same attempt joins or gets the same id. */
  run(request: SandboxRequest, runtimeHandler: string): Promise<string>;
  /**
   * Idempotent; unknown ids are fine (CRI: must not return an error). `deadlineMs`, since the epoch, is when the client
   * gives up, which bounds the containers' grace.
   */
  stop(id: string, deadlineMs: number | undefined): Promise<void>;
  /** Idempotent; stops first when needed. */
  remove(id: string): Promise<void>;
  /** @throws DomainError not-found */
  get(id: string): Sandbox;
  /** All that are not half-made, in order of creation. An unknown id gives an empty list. */
  list(filter: EntityFilter & { state?: "ready" | "not-ready" }): readonly Sandbox[];
  /** pid of the pause process, or 0. */
  verbose(sandbox: Sandbox): Record<string, string>;
  updateResources(
    id: string,
    overhead: LinuxResources | undefined,
    resources: LinuxResources | undefined,
  ): Promise<void>;
}

export interface EntityFilter {
  /** Full id or prefix. */
  id?: string;
  /** Every pair must be there. */
  labels: Readonly<Record<string, string>>;
}

export interface ExecResult {
  exitCode: number;
  stdout: Uint8Array;
  stderr: Uint8Array;
}

/** Containers. */
export interface Containers {
  create(sandboxId: string, request: ContainerRequest, sandboxRequest: SandboxRequest | undefined): Promise<string>;
  start(id: string): Promise<void>;
  /** Stop signal, grace, KILL. Idempotent; an unknown id is fine. */
  stop(id: string, graceSeconds: number): Promise<void>;
  /** Idempotent; kills first when needed. */
  remove(id: string): Promise<void>;
  /** @throws DomainError not-found */
  get(id: string): Container;
  list(
    filter: EntityFilter & { sandboxId?: string; state?: "created" | "running" | "exited" | "unknown" },
  ): readonly Container[];
  /** pid, bundle's config.json and the like for `crictl inspect`. */
  verbose(container: Container): Promise<Record<string, string>>;
  updateResources(id: string, resources: LinuxResources): Promise<void>;
  reopenLog(id: string): Promise<void>;
  /** Freezes all processes. @throws DomainError failed-precondition unless it runs and is not paused */
  pause(id: string): Promise<void>;
  /** @throws DomainError failed-precondition unless it is paused */
  unpause(id: string): Promise<void>;
  /** @throws DomainError deadline-exceeded when `timeoutSeconds` (0 = none) is over; the process and its children are gone then */
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>;
}

/** Images. */
export interface Images {
  /** Gives the image's id. */
  pull(request: PullRequest): Promise<string>;
  list(filter: string): Image[];
  /** By id, id prefix, tag, digest or short name; undefined when absent. */
  find(name: string): Image | undefined;
  remove(name: string): Promise<void>;
  /** Follows the pull of `image` that is under way or starts next, until it ends or `signal` aborts. */
  watchPull(image: string, signal: AbortSignal): AsyncIterable<LayerProgress[]>;
  fsInfo(): Promise<FilesystemUsage>;
}

export interface FilesystemUsage {
  timestampNs: bigint;
  imageFs: { mountpoint: string; usedBytes: number; inodesUsed: number }[];
  containerFs: { mountpoint: string; usedBytes: number; inodesUsed: number }[];
}

export interface Condition {
  ready: boolean;
  reason: string;
  message: string;
}

export interface HandlerFeatures {
  /** Empty for the default handler's second entry. */
  name: string;
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}

/** What Status, RuntimeConfig, Version and UpdateRuntimeConfig tell and do. */
export interface Node {
  version(): { name: string; version: string };
  status(): { runtime: Condition; network: Condition; handlers: HandlerFeatures[]; supplementalGroupsPolicy: boolean };
  verboseStatus(): Record<string, string>;
  cgroupDriver(): "systemd" | "cgroupfs";
  /** From the kubelet; berth's networks take their addresses from CNI, so it is only noted. */
  updatePodCidr(podCidr: string): void;
}

export interface CpuUsage {
  timestampNs: bigint;
  /** Since the cgroup was made. */
  usageCoreNanoSeconds: bigint;
  /** Over the time between two samples; undefined before the second. */
  usageNanoCores: number | undefined;
  /** Undefined where the kernel tells none (cgroup v1, psi=0). */
  pressure: Pressure | undefined;
}

export interface MemoryUsage {
  timestampNs: bigint;
  /** Usage without inactive page cache. */
  workingSetBytes: number;
  /** Limit less working set; undefined without a limit. */
  availableBytes: number | undefined;
  usageBytes: number;
  rssBytes: number;
  pageFaults: number;
  majorPageFaults: number;
  pressure: Pressure | undefined;
}

export interface SwapUsage {
  timestampNs: bigint;
  /** Undefined without a limit. */
  availableBytes: number | undefined;
  usageBytes: number;
}

export interface IoUsage {
  timestampNs: bigint;
  pressure: Pressure | undefined;
}

/** What the container itself has written, in its upper layer. */
export interface WritableLayerUsage {
  timestampNs: bigint;
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

export interface InterfaceUsage {
  name: string;
  rxBytes: number;
  rxErrors: number;
  txBytes: number;
  txErrors: number;
}

export interface NetworkUsage {
  timestampNs: bigint;
  /** The one with the default route; undefined when there is none. */
  defaultInterface: InterfaceUsage | undefined;
  /** The others, without the loopback. */
  interfaces: InterfaceUsage[];
}

/** Parts are undefined when they cannot be read (any more): a container that has exited uses no CPU, but has a layer. */
export interface ContainerStats {
  container: Container;
  cpu: CpuUsage | undefined;
  memory: MemoryUsage | undefined;
  swap: SwapUsage | undefined;
  io: IoUsage | undefined;
  writableLayer: WritableLayerUsage | undefined;
}

export interface SandboxStats {
  sandbox: Sandbox;
  cpu: CpuUsage | undefined;
  memory: MemoryUsage | undefined;
  io: IoUsage | undefined;
  /** Undefined with host network. */
  network: NetworkUsage | undefined;
  processes: { timestampNs: bigint; count: number } | undefined;
  containers: ContainerStats[];
}

export interface MetricDescriptor {
  name: string;
  help: string;
  labelKeys: readonly string[];
}

/** A sample of a metric that a descriptor describes; `labelValues` are in the order of its keys. */
export interface Metric {
  name: string;
  timestampNs: bigint;
  type: "counter" | "gauge";
  labelValues: readonly string[];
  /** The CRI carries whole numbers from 0 on. */
  value: number | bigint;
}

export interface SandboxMetrics {
  sandboxId: string;
  metrics: Metric[];
  containers: { containerId: string; metrics: Metric[] }[];
}

/** Resource usage of pods and containers. */
export interface Stats {
  /** @throws DomainError not-found */
  container(id: string): Promise<ContainerStats>;
  listContainers(filter: EntityFilter & { sandboxId?: string }): Promise<ContainerStats[]>;
  /** @throws DomainError not-found */
  sandbox(id: string): Promise<SandboxStats>;
  listSandboxes(filter: EntityFilter): Promise<SandboxStats[]>;
  /** Of all metrics that `listMetrics` may give. */
  metricDescriptors(): readonly MetricDescriptor[];
  listMetrics(): Promise<SandboxMetrics[]>;
}

/** Something that happened to a container, or to a sandbox, which the CRI counts as a container here. */
export interface ContainerEvent {
  /** Id of the container or of the sandbox. */
  containerId: string;
  type: "created" | "started" | "stopped" | "deleted";
  /** Decimal. */
  createdAtNs: string;
  /** The pod as it was right after; undefined once the sandbox is gone. */
  sandbox: Sandbox | undefined;
  containers: readonly Container[];
}

export interface Events {
  /** What happens from now on, in order, until `signal` aborts; it ends then, or rejects. Bounded: a slow reader loses events. */
  subscribe(signal: AbortSignal): AsyncIterable<ContainerEvent>;
}

export interface Checkpoints {
  /**
   * Writes a checkpoint archive of a running container, which goes on running, to `location`, an absolute path.
   * @throws DomainError deadline-exceeded when `timeoutSeconds` (0 = none) is over
   */
  create(containerId: string, location: string, timeoutSeconds: number): Promise<void>;
}

/** All of it; built in daemon.ts. RPCs of a part that is left out answer UNIMPLEMENTED. */
export interface Runtime {
  sandboxes: Sandboxes;
  containers: Containers;
  images: Images;
  node: Node;
  stats?: Stats;
  events?: Events;
  checkpoints?: Checkpoints;
}
