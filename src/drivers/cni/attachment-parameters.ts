import { DomainError } from "#errors/domain-error.ts";
import type { Attachment } from "./attachment.ts";
import type { Network, PodNetwork, PortMapping } from "./index.ts";
import type { JsonObject } from "./json.ts";

type PodIdentity = Parameters<Network["tearDown"]>[0];

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

/**
 * The same for DEL, of which only the pod's identity is known. What cannot be passed is left out: no plugin was ever given it, and a pod has
 * to go away whatever its name is.
 */
export function attachmentToDelete(pod: PodIdentity, ifName: string): Attachment {
  return {
    containerId: pod.sandboxId,
    ifName,
    netns: pod.netnsPath,
    cniArgs: namesOf(pod).filter(canBePassed),
    capabilityArgs: {},
  };
}

function cniArgsOf(pod: PodNetwork): [string, string][] {
  const args = namesOf(pod);
  const bad = args.find((arg) => !canBePassed(arg));
  if (bad === undefined) return args;
  throw new DomainError("invalid-argument", `${bad[0]} ${JSON.stringify(bad[1])} cannot be passed to CNI plugins`);
}

function namesOf(pod: PodIdentity): [string, string][] {
  return [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", pod.podNamespace],
    ["K8S_POD_NAME", pod.podName],
    ["K8S_POD_INFRA_CONTAINER_ID", pod.sandboxId],
    ["K8S_POD_UID", pod.podUid],
  ];
}

function canBePassed([, value]: readonly [string, string]): boolean {
  return !/[;=\0]/.test(value);
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
