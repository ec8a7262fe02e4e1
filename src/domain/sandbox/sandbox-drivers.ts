import type { Cgroups } from "#drivers/cgroup/index.ts";
import type { Network } from "#drivers/cni/index.ts";
import type { HostPorts } from "#drivers/hostport/index.ts";
import type { Namespaces } from "#drivers/namespaces/index.ts";
import type { SandboxFileStore } from "#drivers/sandbox-files/index.ts";
import type { SelinuxFacts, SelinuxLevels } from "#drivers/security/index.ts";
import type { Logger } from "#observability/logger.ts";
import type { InfraProcess, Sandbox } from "./sandbox.ts";
import type { SandboxStore } from "./sandbox-store.ts";
import type { StandbyNetworks } from "./standby-networks.ts";

/** Runs the pause process of a pod that needs one. Implemented where containers are known. */
export interface InfraRunner {
  isNeeded(sandbox: Sandbox): boolean;
  /** Undone by `remove`. */
  start(sandbox: Sandbox): Promise<InfraProcess>;
  /** Kills it and takes away all that belongs to it. Idempotent, also for a sandbox that never had one. */
  remove(sandbox: Sandbox): Promise<void>;
}

/** Values of the configuration and of the machine that sandboxes depend on. */
export interface SandboxSettings {
  bootId: string;
  nodeName: string;
  /** Of pods that ask for none; a reload may change it. */
  readonly defaultHandler: string;
  /** @throws DomainError for a handler that is not configured or cannot run */
  checkHandler(handler: string): void;
  /** @throws DomainError for a handler whose runtime cannot do user namespaces */
  checkUserNamespaces(handler: string): void;
  /** Beginnings of restricted annotation keys that a pod with these annotations may use. */
  allowedAnnotations(handler: string, annotations: Readonly<Record<string, string>>): readonly string[];
  defaultSysctls: Readonly<Record<string, string>>;
  cgroupManager: "systemd" | "cgroupfs";
  /** How long a new pod waits for a network that is not ready. */
  networkReadyTimeoutMs: number;
  hostPortsEnabled: boolean;
  selinux: SelinuxFacts;
}

/** What sandboxes are made of. */
export interface SandboxDrivers {
  store: SandboxStore;
  namespaces: Namespaces;
  files: SandboxFileStore;
  network: Network;
  standby: StandbyNetworks;
  hostPorts: HostPorts;
  cgroups: Cgroups;
  infra: InfraRunner;
  selinuxLevels: SelinuxLevels;
  settings: SandboxSettings;
  /** How long a part of the work took. */
  onStep: (name: "network_setup_pod" | "network_setup_overall", durationMs: number) => void;
  logger: Logger;
}
