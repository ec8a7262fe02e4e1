import { DomainError } from "#errors/domain-error.ts";
import type { DnsConfig } from "#domain/sandbox/request.ts";

/**
 * resolv.conf(5) from the CRI's DNSConfig; undefined means "as on the host", which is also what an empty one asks for.
 * @throws DomainError invalid-argument for entries that would make further lines
 */
export function resolvConf(dns: DnsConfig | undefined): string | undefined {
  if (dns === undefined || dns.servers.length + dns.searches.length + dns.options.length === 0) return undefined;
  for (const entry of [...dns.servers, ...dns.searches, ...dns.options]) {
    if (/\s/.test(entry))
      throw new DomainError("invalid-argument", `dns_config: ${JSON.stringify(entry)} contains white space`);
  }
  return [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(" ")}`] : []),
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(" ")}`] : []),
    "",
  ].join("\n");
}

/** hosts(5) of a pod with its own network, for containers that get none from the kubelet. */
export function hostsFile(hostname: string, ips: readonly string[]): string {
  return [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...ips.map((ip) => `${ip}\t${hostname}`),
    "",
  ].join("\n");
}

/**
 * The pod's host name: as asked for, the node's on the host's network, else the beginning of the sandbox id.
 * @throws DomainError invalid-argument when it is longer than the kernel takes (HOST_NAME_MAX)
 */
export function sandboxHostname(
  requested: string,
  sandboxId: string,
  options: { hostNetwork: boolean; nodeName: string },
): string {
  const maxBytes = 64;
  if (Buffer.byteLength(requested) > maxBytes) {
    throw new DomainError("invalid-argument", `hostname ${requested} is longer than ${maxBytes} bytes`);
  }
  if (requested !== "") return requested;
  return options.hostNetwork ? options.nodeName : sandboxId.slice(0, 12);
}

const defaultShmSizeBytes = 64 * 1024 * 1024;
const units: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Size of the pod's /dev/shm: 64 MiB, or what an allowed annotation says (`128m`, `1Gi`, bytes). */
export function shmSizeBytes(annotation: string | undefined): number {
  if (annotation === undefined) return defaultShmSizeBytes;
  const match = /^(\d+)\s*([kmg]?)(i?b?)$/i.exec(annotation.trim());
  const size = Number(match?.[1]) * (units[(match?.[2] ?? "").toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(size) || size <= 0)
    throw new DomainError("invalid-argument", `shm size annotation ${JSON.stringify(annotation)} is no size`);
  return size;
}
