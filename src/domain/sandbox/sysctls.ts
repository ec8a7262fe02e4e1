import type { NamespaceOptions } from "./request.ts";

export interface SysctlInputs {
  /** `default_sysctls` of the configuration. */
  defaults: Readonly<Record<string, string>>;
  /** Of the pod; the kubelet has checked them against its allow list. */
  requested: Readonly<Record<string, string>>;
  options: NamespaceOptions;
}

export interface SysctlResult {
  sysctls: Record<string, string>;
  warnings: string[];
}

/** Names that belong to one namespace, and which one. A sysctl that fits none would change the whole node. */
const namespaced: readonly { matches: (name: string) => boolean; namespace: "ipc" | "network" }[] = [
  { matches: (name) => name === "kernel.sem", namespace: "ipc" },
  { matches: (name) => name.startsWith("kernel.shm") || name.startsWith("kernel.msg"), namespace: "ipc" },
  { matches: (name) => name.startsWith("fs.mqueue."), namespace: "ipc" },
  { matches: (name) => name.startsWith("net."), namespace: "network" },
];

/**
 * The sysctls to set in the pod's namespaces: those that are namespaced and whose namespace is the pod's own; the others are
 * left out with a warning.
 */
export function sandboxSysctls(inputs: SysctlInputs): SysctlResult {
  const sysctls: Record<string, string> = {};
  const warnings: string[] = [];
  for (const [given, value] of Object.entries({ ...inputs.defaults, ...inputs.requested })) {
    const name = dotted(given);
    const namespace = namespaced.find((one) => one.matches(name))?.namespace;
    if (namespace === undefined) warnings.push(`the sysctl ${name} belongs to no namespace of the pod and is not set`);
    else if (inputs.options[namespace] === "node")
      warnings.push(`the sysctl ${name} is not set: the pod uses the host's ${namespace} namespace`);
    else sysctls[name] = name === "net.ipv4.ping_group_range" ? pingGroupRange(value, inputs.options) : value;
  }
  return { sysctls, warnings };
}

/** True for those of a network namespace, whichever way the name is written. */
export function isNetworkSysctl(name: string): boolean {
  return dotted(name).startsWith("net.");
}

/** sysctl(8) also takes `net/ipv4/conf/eth0.1/...`: where a slash comes first, slashes and dots change places. */
function dotted(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  if (separator !== "/") return name;
  return name.replaceAll(/[./]/g, (found) => (found === "/" ? "." : "/"));
}

/** The kernel refuses groups that the pod's user namespace does not map, so "all groups" has to end with the map. */
function pingGroupRange(value: string, options: NamespaceOptions): string {
  if (options.userns?.mode !== "pod" || !/^0\s+2147483647$/.test(value)) return value;
  const ends = options.userns.gids
    .filter((map) => map.containerId === 0)
    .map((map) => map.containerId + map.length - 1);
  return ends.length === 0 ? value : `0 ${Math.max(...ends)}`;
}
