import { DomainError } from "#errors/domain-error.ts";
import type { Attachment } from "./attachment.ts";
import type { PodNetwork, PortMapping } from "./index.ts";
import type { JsonObject } from "./json.ts";

// A rate without a burst is refused by the bandwidth plugin. The largest burst that fits all its versions shapes the
// average and lets short bursts pass, as other CRI runtimes have it.
const burstBits = 2 ** 31 - 1;

/** Parameters of a pod's attachment with the interface `ifName` (CNI spec, section 3, and CONVENTIONS.md). */
export function attachmentOf(pod: PodNetwork, ifName: string): Attachment {
  return {
    containerId: pod.sandboxId,
    ifName,
    netns: pod.netnsPath,
    cniArgs: cniArgsOf(pod),
    capabilityArgs: capabilityArgsOf(pod),
  };
}

function cniArgsOf(pod: PodNetwork): [string, string][] {
  const args: [string, string][] = [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", pod.podNamespace],
    ["K8S_POD_NAME", pod.podName],
    ["K8S_POD_INFRA_CONTAINER_ID", pod.sandboxId],
    ["K8S_POD_UID", pod.podUid],
  ];
  for (const [name, value] of args)
    if (/[;=\0]/.test(value))
      throw new DomainError("invalid-argument", `${name} ${JSON.stringify(value)} cannot be passed to CNI plugins`);
  return args;
}

function capabilityArgsOf(pod: PodNetwork): JsonObject {
  const mappings = pod.portMappings.filter((mapping) => mapping.hostPort > 0).map(portMappingOf);
  return {
    ...(mappings.length > 0 ? { portMappings: mappings } : {}),
    ...(pod.bandwidth === undefined ? {} : { bandwidth: bandwidthOf(pod.bandwidth) }),
    ...(pod.ips !== undefined && pod.ips.length > 0 ? { ips: pod.ips } : {}),
    ...(pod.mac === undefined ? {} : { mac: pod.mac }),
    ...(pod.dns === undefined ? {} : { dns: pod.dns }),
    ...(pod.cgroupPath === undefined ? {} : { cgroupPath: pod.cgroupPath }),
    "io.kubernetes.cri.pod-annotations": pod.annotations,
  };
}

function portMappingOf({ hostPort, containerPort, protocol, hostIp }: PortMapping): JsonObject {
  return { hostPort, containerPort, protocol, ...(hostIp === "" ? {} : { hostIP: hostIp }) };
}

function bandwidthOf(bandwidth: NonNullable<PodNetwork["bandwidth"]>): JsonObject {
  const { ingressBitsPerSecond: ingressRate, egressBitsPerSecond: egressRate } = bandwidth;
  return {
    ...(ingressRate === undefined ? {} : { ingressRate, ingressBurst: burstBits }),
    ...(egressRate === undefined ? {} : { egressRate, egressBurst: burstBits }),
  };
}
