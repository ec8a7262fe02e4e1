import type { ContainerDrivers } from "#domain/container/container-drivers.ts";
import type { ContainerExits } from "#domain/container/container-exits.ts";
import type { ContainerStops } from "#domain/container/stop-container.ts";
import type { SandboxDrivers } from "#domain/sandbox/sandbox-drivers.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { InFlight } from "#lib/in-flight.ts";
import type { Logger } from "#observability/logger.ts";

/** What whole pods are made of. */
export interface PodDrivers {
  sandbox: SandboxDrivers;
  container: ContainerDrivers;
  exits: ContainerExits;
  stops: ContainerStops;
  /** Creations of containers by sandbox: a pod that stops waits for them, so that none escapes it. */
  creations: InFlight<string>;
  publishSandbox(type: "created" | "started" | "stopped" | "deleted", sandbox: Sandbox): void;
  /** A client asks again for what is still being made. */
  stalled(stage: "sandbox creating" | "container creating"): void;
  logger: Logger;
}
