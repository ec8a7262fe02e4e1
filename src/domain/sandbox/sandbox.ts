import { stateMachine } from "#domain/entity/state-machine.ts";
import type { SandboxRequest } from "#domain/sandbox/request.ts";

/** 64 hexadecimal digits. */
export type SandboxId = string & { readonly __brand?: "SandboxId" };

/** A process and when it started, so that a reused pid is never mistaken for it. */
export interface ProcessRef {
  pid: number;
  startTime: string;
}

/**
 * Where a sandbox is in its life. "creating" is written before the first acquisition, so that a start after a crash knows
 * what to undo; "stopping" means that its network may be partly torn down.
 */
export type SandboxState =
  /** `failed` is set in memory while it is undone. */
  | { kind: "creating"; failed?: true }
  | { kind: "ready" }
  | { kind: "stopping" }
  | { kind: "stopped"; stoppedAtNs: string }
  | { kind: "removing" };

/** Pinned namespaces; a missing one is the host's. */
export interface SandboxNamespaces {
  net?: string;
  ipc?: string;
  uts?: string;
  user?: string;
}

/** The pause process, only where a shared PID namespace or a sandboxed runtime needs one. */
export interface InfraProcess {
  process: ProcessRef;
  monitor: ProcessRef;
  /** 64 hex of the image that it was made of; missing in older records. */
  imageId?: string;
}

/** Files of a sandbox that its containers mount. */
export interface SandboxFiles {
  resolvConf: string;
  hostname: string;
  /** Undefined when containers use the host's. */
  hosts?: string;
  /** Undefined with host IPC: containers use the host's /dev/shm. */
  shm?: string;
}

/** What is kept of a sandbox, in memory and on disk. Never changed in place: a transition makes a new one. */
export interface Sandbox {
  readonly version: 1;
  readonly id: SandboxId;
  readonly request: SandboxRequest;
  /** As asked for; empty means the default handler. */
  readonly runtimeHandler: string;
  /** The handler that was the default one then, where none was asked for. Records of the first versions lack it. */
  readonly defaultHandler?: string;
  readonly createdAtNs: string;
  /** The boot during which its namespaces were made. */
  readonly bootId: string;
  readonly state: SandboxState;
  /** What containers see as their host name. */
  readonly hostname: string;
  readonly namespaces: SandboxNamespaces;
  readonly files: SandboxFiles;
  /** As the cgroup driver wants it; empty when the driver's default is used. */
  readonly cgroupParent: string;
  /** The uppermost part of the parent cgroup's path that berth made and has to remove. */
  readonly madeCgroup?: string;
  /** The primary address first; empty with host network. */
  readonly ips: readonly string[];
  readonly infra?: InfraProcess;
  /** MCS level that its containers share; empty without SELinux. */
  readonly selinuxLevel: string;
}

/** The name that makes a retry recognisable: one pod attempt is one sandbox (CRI: metadata uniquely identifies it). */
export function sandboxName({ metadata }: SandboxRequest): string {
  return ["k8s", "POD", metadata.name, metadata.namespace, metadata.uid, String(metadata.attempt)].join("_");
}

export function isReady(sandbox: Sandbox): boolean {
  return sandbox.state.kind === "ready";
}

/**
 * The sandbox in its next state.
 * @throws DomainError failed-precondition for a step that the life of a sandbox does not have
 */
export const withState = stateMachine<Sandbox>("sandbox", {
  creating: ["ready", "removing"],
  ready: ["stopping"],
  stopping: ["stopping", "stopped"],
  stopped: ["stopping", "removing"],
  removing: ["removing"],
});

/** Who runs a pod's containers and its pause process, whatever the default handler is by now. */
export function handlerOf({ runtimeHandler, defaultHandler = "" }: Sandbox): string {
  return runtimeHandler === "" ? defaultHandler : runtimeHandler;
}

export function isHostNetwork(request: SandboxRequest): boolean {
  return request.linux.securityContext.namespaceOptions.network === "node";
}
