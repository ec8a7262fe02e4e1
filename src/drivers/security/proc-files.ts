import { allCapabilities } from "#spec/capabilities.ts";
import { rlimitUnlimited } from "#spec/oci-runtime-json.ts";

/** Capabilities that the kernel has, from /proc/sys/kernel/cap_last_cap. */
export function knownCapabilities(lastCapability: string): string[] {
  return allCapabilities.slice(0, Number(lastCapability.trim()) + 1);
}

/** A set of /proc/self/status, by the field's name: `CapBnd`, `CapEff`, ... */
export function capabilitySet(status: string, field: string): string[] {
  const mask = BigInt(`0x${statusField(status, field) ?? "0"}`);
  return allCapabilities.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}

export function statusField(status: string, field: string): string | undefined {
  const line = status.split("\n").find((one) => one.startsWith(`${field}:`));
  return line?.slice(field.length + 1).trim();
}

const rlimitTypes: Readonly<Record<string, string>> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** The table of /proc/self/limits, by OCI type. */
export function parseLimits(limits: string): Record<string, { soft: number; hard: number }> {
  const byType: Record<string, { soft: number; hard: number }> = {};
  for (const line of limits.split("\n").slice(1)) {
    const [name = "", soft = "", hard = ""] = line.split(/ {2,}/);
    const type = rlimitTypes[name];
    if (type !== undefined) byType[type] = { soft: limitValue(soft), hard: limitValue(hard) };
  }
  return byType;
}

function limitValue(text: string): number {
  return text === "unlimited" ? rlimitUnlimited : Number(text);
}

/** Controllers of mounted cgroup v1 hierarchies, from /proc/self/cgroup. */
export function cgroupV1Controllers(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) => (line.split(":")[1] ?? "").split(","))
    .filter((name) => name !== "" && !name.startsWith("name="));
}

/** `key = "value"` lines of SELinux's lxc_contexts. */
export function parseContexts(text: string): Record<string, string> {
  const entries = [...text.matchAll(/^\s*(\w+)\s*=\s*"([^"]*)"/gm)].map(([, key = "", value = ""]) => [key, value]);
  return Object.fromEntries(entries);
}
