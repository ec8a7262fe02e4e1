import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import type { ContainerExits } from "#domain/container/container-exits.ts";
import type { ContainerStops } from "#domain/container/stop-container.ts";
import type { SandboxDrivers } from "#domain/sandbox/sandbox-drivers.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { Logger } from "#observability/logger.ts";

/** What whole pods are made of. */
export interface PodDrivers {
  sandbox: SandboxDrivers;
  container: ContainerDrivers;
  exits: ContainerExits;
  stops: ContainerStops;
  publishSandbox(type: "created" | "started" | "stopped" | "deleted", sandbox: Sandbox): void;
  logger: Logger;
}
