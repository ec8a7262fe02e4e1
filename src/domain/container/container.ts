import { stateMachine } from "#domain/entity/state-machine.ts";
import type { ContainerRequest } from "#domain/container/request.ts";
import type { ProcessRef, SandboxId } from "#domain/sandbox/sandbox.ts";
import type { LinuxResources } from "#domain/sandbox/request.ts";

/** 64 hexadecimal digits. */
export type ContainerId = string & { readonly __brand?: "ContainerId" };

/** How a container ended. Times are nanoseconds since the epoch, decimal. */
export interface ContainerExit {
  exitCode: number;
  finishedAtNs: string;
  /** CamelCase: `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`. */
  reason: string;
  message: string;
}

/** Where a container is in its life. */
export type ContainerState =
  | { kind: "creating" }
  /** `startingAtNs` is set in memory while the runtime is asked to start it. */
  | { kind: "created"; startingAtNs?: string }
  /** `paused`: its processes are frozen, which the CRI does not tell from running. */
  | { kind: "running"; startedAtNs: string; paused?: true }
  | { kind: "exited"; startedAtNs: string; exit: ContainerExit }
  | { kind: "removing"; startedAtNs: string; exit: ContainerExit };

/** A mount as it was made, for ContainerStatus. */
export interface ContainerMount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  recursiveReadOnly: boolean;
  selinuxRelabel: boolean;
  propagation: "private" | "host-to-container" | "bidirectional";
  uidMappings: { hostId: number; containerId: number; length: number }[];
  gidMappings: { hostId: number; containerId: number; length: number }[];
  image?: string;
  imageSubPath?: string;
}

/** What is kept of a container, in memory and on disk. Never changed in place: a transition makes a new one. */
export interface Container {
  readonly version: 1;
  readonly id: ContainerId;
  readonly sandboxId: SandboxId;
  readonly request: ContainerRequest;
  /** OCI runtime handler that runs it, never empty; with `@os/architecture` where it has a program for the image's platform. */
  readonly runtimeHandler: string;
  readonly createdAtNs: string;
  readonly bootId: string;
  readonly state: ContainerState;
  /** 64 hex of the image, and what the status shows as image_ref. */
  readonly imageId: string;
  readonly imageRef: string;
  /** Images that its volumes show. */
  readonly volumeImageIds?: readonly string[];
  /** Absolute path of the log on the host; empty when the pod keeps no logs. */
  readonly logPath: string;
  readonly mounts: readonly ContainerMount[];
  readonly user: { uid: number; gid: number; supplementalGroups: readonly number[] };
  /** `SIGTERM` or what the request or the image asks for. */
  readonly stopSignal: string;
  /** As now applied: what was asked for at creation and by later updates. */
  readonly resources: LinuxResources | undefined;
  /** cgroup path as given to the runtime (linux.cgroupsPath). */
  readonly cgroupsPath: string;
  /** Known from "created" on, until the exit. */
  readonly process?: ProcessRef;
  readonly monitor?: ProcessRef;
  readonly privileged: boolean;
  /** Set when it was made from a checkpoint. */
  readonly restore?: ContainerRestore;
  /** When a checkpoint of it was last made. */
  readonly checkpointedAtNs?: string;
}

/** The checkpoint that a container was made from. */
export interface ContainerRestore {
  /** Name of its kept parts; gone once the container was started, which is when its processes are restored. */
  parts?: string;
  /** Set before its processes are restored: a daemon that finds it beside `parts` does not know how far that came. */
  begun?: true;
  checkpointedAtNs: string;
}

/** One attempt of one container of a pod is one container: a retry with the same name gets the same id. */
export function containerName(sandboxId: SandboxId, request: ContainerRequest): string {
  return [sandboxId, request.metadata.name, String(request.metadata.attempt)].join("_");
}

/**
 * The container in its next state.
 * @throws DomainError failed-precondition for a step that the life of a container does not have
 */
export const withState = stateMachine<Container>("container", {
  creating: ["created", "exited", "removing"],
  created: ["running", "exited", "removing"],
  running: ["running", "exited"],
  exited: ["removing"],
  removing: ["removing"],
});

export function isRunning(container: Container): boolean {
  return container.state.kind === "running";
}

export function isPaused(container: Container): boolean {
  return container.state.kind === "running" && container.state.paused === true;
}

/** True for a container without a process, whose start will bring back those of a checkpoint. */
export function awaitsRestore(container: Container): boolean {
  return container.state.kind === "created" && container.restore?.parts !== undefined;
}

/** True when the container has processes or may soon have: created or running. */
export function isLive(container: Container): boolean {
  return container.state.kind === "created" || container.state.kind === "running";
}
