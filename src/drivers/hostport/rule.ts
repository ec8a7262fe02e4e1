import { isIP } from "node:net";
import { DomainError } from "#errors/domain-error.ts";
import type { HostPortMapping } from "./index.ts";

/** One open port in one address family, with everything decided. */
export interface HostPortRule {
  sandboxId: string;
  /** The daemon that the pod belongs to; missing from rules of before daemons marked theirs. */
  owner?: string;
  family: 4 | 6;
  protocol: "tcp" | "udp" | "sctp";
  /** Empty for all addresses of the host. */
  hostIp: string;
  hostPort: number;
  podIp: string;
  containerPort: number;
}

/** What a rule is found by in the kernel: two rules with the same key cannot exist. */
export function keyOf(rule: HostPortRule): string {
  return `${rule.family} ${rule.protocol} ${rule.hostIp}:${rule.hostPort}`;
}

/** What the kernel keeps with a rule. */
export function markOf({ owner, sandboxId }: HostPortRule): string {
  return owner === undefined ? sandboxId : `${owner}:${sandboxId}`;
}

export function parseMark(mark: string): Pick<HostPortRule, "owner" | "sandboxId"> {
  const [owner = "", sandboxId] = mark.split(":");
  return sandboxId === undefined ? { sandboxId: owner } : { owner, sandboxId };
}

/** How operators write the host's side of a rule. */
export function describeRule(rule: HostPortRule): string {
  const host = rule.hostIp === "" ? "*" : rule.hostIp;
  return `${rule.family === 6 && host !== "*" ? `[${host}]` : host}:${rule.hostPort}/${rule.protocol}`;
}

/**
 * The rules for a pod: each mapping towards the first pod address of each family that the mapping's host address allows.
 * @throws DomainError invalid-argument for addresses and ports that are none, and when a mapping contradicts another or
 *   leads to no address
 */
export function rulesOf(
  sandboxId: string,
  podIps: readonly string[],
  mappings: readonly HostPortMapping[],
): HostPortRule[] {
  // Ids and addresses become part of commands to the packet filter.
  if (!/^[\w.-]+$/.test(sandboxId))
    throw new DomainError("invalid-argument", `pod sandbox id ${JSON.stringify(sandboxId)} is none`);
  const rules = new Map<string, HostPortRule>();
  for (const mapping of mappings) {
    if (mapping.hostPort === 0) continue;
    const own = rulesOfMapping(sandboxId, podIps, mapping);
    if (own.length === 0) throw invalid(mapping, "the pod has no address of that family");
    for (const rule of own) {
      const other = rules.get(keyOf(rule));
      if (other !== undefined && other.containerPort !== rule.containerPort)
        throw invalid(mapping, `it also leads to container port ${other.containerPort}`);
      rules.set(keyOf(rule), rule);
    }
  }
  return [...rules.values()];
}

function rulesOfMapping(sandboxId: string, podIps: readonly string[], mapping: HostPortMapping): HostPortRule[] {
  const { protocol, hostPort, containerPort } = mapping;
  if (!isPort(hostPort) || !isPort(containerPort))
    throw invalid(mapping, `port ${containerPort} or ${hostPort} is none`);
  const hostFamily = familyOf(mapping.hostIp);
  if (mapping.hostIp !== "" && hostFamily === 0) throw invalid(mapping, `${mapping.hostIp} is no IP address`);
  const hostIp = mapping.hostIp === "0.0.0.0" || mapping.hostIp === "::" ? "" : mapping.hostIp;
  const families = ([4, 6] as const).filter((family) => hostFamily === 0 || hostFamily === family);
  return families.flatMap((family) => {
    const podIp = podIps.find((ip) => familyOf(ip) === family);
    return podIp === undefined ? [] : [{ sandboxId, family, protocol, hostIp, hostPort, podIp, containerPort }];
  });
}

// An address with a zone (fe80::1%eth0) cannot be in a rule.
function familyOf(ip: string): number {
  return ip.includes("%") ? 0 : isIP(ip);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

function invalid(mapping: HostPortMapping, cause: string): DomainError {
  const host = `${mapping.hostIp === "" ? "*" : mapping.hostIp}:${mapping.hostPort}/${mapping.protocol}`;
  return new DomainError("invalid-argument", `host port ${host}: ${cause}`);
}
