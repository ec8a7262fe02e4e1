import { isIP } from "node:net";
import { DomainError, kindOf } from "#errors/domain-error.ts";
import type { Network, PodNetwork } from "#drivers/cni/index.ts";
import { bandwidthOf } from "./bandwidth.ts";
import type { SandboxRequest } from "./request.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { isHostNetwork } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";
import type { StandbyNetwork } from "./standby-networks.ts";

/**
 * Refuses what the network of a pod cannot be asked for, before anything is made of the pod. Names travel to CNI plugins in a list
 * of `name=value`, between semicolons.
 * @throws DomainError invalid-argument
 */
export function checkNetworkRequest({ metadata, annotations, portMappings }: SandboxRequest): void {
  for (const name of ["name", "namespace", "uid"] as const) {
    if (!/[;=]/.test(metadata[name])) continue;
    const text = JSON.stringify(metadata[name]);
    throw new DomainError("invalid-argument", `metadata.${name} ${text} contains ";" or "=": CNI cannot have that`);
  }
  for (const { hostPort, hostIp } of portMappings) {
    if (hostPort === 0 || hostIp === "" || (isIP(hostIp) !== 0 && !hostIp.includes("%"))) continue;
    const text = JSON.stringify(hostIp);
    throw new DomainError("invalid-argument", `port_mappings: host_ip ${text} of port ${hostPort} is no IP address`);
  }
  bandwidthOf(annotations);
}

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

/** Closes host ports and releases the addresses, whatever the pod had asked for. Idempotent. */
export async function disconnectSandbox(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  if (isHostNetwork(sandbox.request)) return;
  if (sandbox.request.portMappings.some((mapping) => mapping.hostPort > 0)) await drivers.hostPorts.remove(sandbox.id);
  await drivers.network.tearDown(podIdentity(sandbox));
}

function podIdentity({ id, namespaces, request: { metadata } }: Sandbox): Parameters<Network["tearDown"]>[0] {
  return {
    sandboxId: id,
    podName: metadata.name,
    podNamespace: metadata.namespace,
    podUid: metadata.uid,
    netnsPath: namespaces.net ?? "",
  };
}

function podNetwork(sandbox: Sandbox): PodNetwork {
  const { annotations, portMappings, dnsConfig } = sandbox.request;
  const bandwidth = bandwidthOf(annotations);
  return {
    ...podIdentity(sandbox),
    annotations,
    portMappings: portMappings.filter((mapping) => mapping.hostPort > 0),
    ...(sandbox.cgroupParent === "" ? {} : { cgroupPath: sandbox.cgroupParent }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(dnsConfig === undefined ? {} : { dns: dnsConfig }),
  };
}
