import type { PluginConfiguration, ResolvedNetwork } from "./configuration.ts";
import { isJsonObject } from "./json.ts";

/** Plugins of the CNI project, and flannel's, which calls them: what they do depends on their configuration and the namespace. */
const interfacePlugins = new Set(["bridge", "ptp", "macvlan", "ipvlan", "flannel"]);
const chainedPlugins = new Set(["portmap", "bandwidth", "firewall", "tuning", "loopback"]);
const addressPlugins = new Set(["host-local"]);

/** Capabilities that mean nothing to a pod which asks for nothing of the kind. Others say who the pod is, as annotations do. */
const optionalCapabilities = new Set(["portMappings", "bandwidth"]);

/** True when every plugin of the network is known to do the same for any pod that asks for no host ports and no bandwidth. */
export function isIndifferentToPods(network: ResolvedNetwork): boolean {
  return network.plugins.every(isIndifferent);
}

function isIndifferent({ type, capabilities, fields }: PluginConfiguration): boolean {
  if ([...capabilities].some((capability) => !optionalCapabilities.has(capability))) return false;
  if (chainedPlugins.has(type)) return true;
  return interfacePlugins.has(type) && (type === "flannel" || hasLocalAddresses(fields["ipam"]));
}

function hasLocalAddresses(ipam: unknown): boolean {
  if (!isJsonObject(ipam)) return false;
  const { type } = ipam;
  return typeof type === "string" && addressPlugins.has(type);
}
