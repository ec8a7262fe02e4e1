import type { Container } from "#domain/container/container.ts";
import type { ContainerRequest } from "#domain/container/request.ts";
import type { Image, LayerProgress, PullRequest } from "#domain/image/image.ts";
import type { LinuxResources, SandboxRequest } from "#domain/sandbox/request.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";

// What the edges call: the CRI server and the streaming server see these interfaces and nothing behind them. Ids given in are
// full ids or unique prefixes; an ambiguous prefix is invalid-argument, an unknown one not-found unless said otherwise.

/** Pod sandboxes. */
export interface Sandboxes {
  /** Makes the pod and gives its id once it is ready; a second call for the same attempt joins or gets the same id. */
  run(request: SandboxRequest, runtimeHandler: string): Promise<string>;
  /** Idempotent; unknown ids are fine (CRI: must not return an error). `deadlineMs` bounds the containers' grace. */
  stop(id: string, deadlineMs: number | undefined): Promise<void>;
  /** Idempotent; stops first when needed. */
  remove(id: string): Promise<void>;
  /** @throws DomainError not-found */
  get(id: string): Sandbox;
  /** All that are not half-made, in order of creation. An unknown id gives an empty list. */
  list(filter: EntityFilter & { state?: "ready" | "not-ready" }): Sandbox[];
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
  ): Container[];
  /** pid, bundle's config.json and the like for `crictl inspect`. */
  verbose(container: Container): Promise<Record<string, string>>;
  updateResources(id: string, resources: LinuxResources): Promise<void>;
  reopenLog(id: string): Promise<void>;
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

/** All of it; built in daemon.ts. */
export interface Runtime {
  sandboxes: Sandboxes;
  containers: Containers;
  images: Images;
  node: Node;
}
