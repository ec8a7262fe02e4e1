import { kindOf } from "#errors/domain-error.ts";
import type { PodNetwork } from "#drivers/cni/index.ts";
import { bandwidthOf } from "./bandwidth.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { isHostNetwork } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";
import type { StandbyNetwork } from "./standby-networks.ts";

/**
 * Connects the sandbox's network namespace, unless it is a standby that is connected, and opens its host ports; gives its addresses.
 * Undone by `disconnectSandbox`.
 */
export async function connectSandbox(
  drivers: SandboxDrivers,
  sandbox: Sandbox,
  standby: StandbyNetwork | undefined,
): Promise<readonly string[]> {
  const { network, hostPorts, settings, onStep } = drivers;
  const { portMappings } = sandbox.request;
  const startedMs = performance.now();
  const ips = await attach(drivers, podNetwork(sandbox), standby);
  onStep("network_setup_pod", performance.now() - startedMs);
  const wantsPorts = portMappings.some((mapping) => mapping.hostPort > 0);
  if (wantsPorts && settings.hostPortsEnabled && !network.handlesPortMappings()) {
    await hostPorts.add(sandbox.id, ips, portMappings);
  }
  onStep("network_setup_overall", performance.now() - startedMs);
  return ips;
}

async function attach(
  drivers: SandboxDrivers,
  pod: PodNetwork,
  standby: StandbyNetwork | undefined,
): Promise<readonly string[]> {
  const { network } = drivers;
  if (standby !== undefined) {
    if (await network.adopt(pod)) return standby.ips;
    await network.tearDown(pod);
  }
  return setUp(drivers, pod);
}

/** The last addresses may be held by networks that wait for other pods. */
async function setUp({ network, standby }: SandboxDrivers, pod: PodNetwork): Promise<readonly string[]> {
  try {
    return (await network.setUp(pod)).ips;
  } catch (error) {
    if (kindOf(error) !== "resource-exhausted" || !(await standby.giveBack())) throw error;
    return (await network.setUp(pod)).ips;
  }
}

/** Closes host ports and releases the addresses. Idempotent. */
export async function disconnectSandbox(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  if (isHostNetwork(sandbox.request)) return;
  if (sandbox.request.portMappings.some((mapping) => mapping.hostPort > 0)) await drivers.hostPorts.remove(sandbox.id);
  await drivers.network.tearDown(podNetwork(sandbox));
}

function podNetwork(sandbox: Sandbox): PodNetwork {
  const { metadata, annotations, portMappings, dnsConfig } = sandbox.request;
  const bandwidth = bandwidthOf(annotations);
  return {
    sandboxId: sandbox.id,
    podName: metadata.name,
    podNamespace: metadata.namespace,
    podUid: metadata.uid,
    netnsPath: sandbox.namespaces.net ?? "",
    annotations,
    portMappings: portMappings.filter((mapping) => mapping.hostPort > 0),
    ...(sandbox.cgroupParent === "" ? {} : { cgroupPath: sandbox.cgroupParent }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(dnsConfig === undefined ? {} : { dns: dnsConfig }),
  };
}
