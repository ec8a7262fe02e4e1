import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { MonitoredCreate } from "#drivers/monitor/index.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";

/** What a monitor has to know of a container. */
export function monitoredCreate(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  { id, request, logPath, runtimeHandler }: Container,
  bundle: string,
  runtimeBy: readonly string[] = [],
): MonitoredCreate {
  const { settings, cgroups, runtimes } = drivers;
  return {
    id,
    name: request.metadata.name,
    bundle,
    runtime: runtimes.get(runtimeHandler),
    runtimeBy,
    logPath,
    terminal: request.tty,
    stdin: request.stdin,
    stdinOnce: request.stdinOnce,
    noPivot: settings.noPivot,
    placeMonitor: (pid) =>
      cgroups.placeMonitor({ parent: sandbox.cgroupParent, containerId: id, handler: runtimeHandler }, pid),
    timeoutMs: settings.createTimeoutMs(runtimeHandler),
  };
}
