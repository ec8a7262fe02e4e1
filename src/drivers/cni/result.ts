import { isIP } from "node:net";
import { DomainError } from "#errors/domain-error.ts";
import type { NetworkResult } from "./index.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { isAtLeast, isSupportedVersion, type CniVersion } from "./version.ts";

/**
 * A plugin's result in the form of the network's version (CNI spec, section 5): `ips[].version` exists in 0.3 and 0.4 and
 * not from 1.0.0 on; 0.1 and 0.2 have `ip4` and `ip6` instead of `ips`.
 */
export function convertResult(result: JsonObject, version: CniVersion): JsonObject {
  const from = result["cniVersion"];
  if (from === version) return result;
  const { ip4, ip6, ips, ...rest } = result;
  const modern = Array.isArray(ips) ? ips.filter(isJsonObject) : [ip4, ip6].flatMap(fromLegacyAddress);
  if (!isAtLeast(version, "0.3.0")) return { ...rest, ...toLegacyAddresses(modern), cniVersion: version };
  const legacyRoutes = [ip4, ip6].flatMap((half) => listOf(half, "routes"));
  return {
    ...rest,
    ...(legacyRoutes.length > 0 ? { routes: legacyRoutes } : {}),
    ips: modern.map((ip) => withFamily(ip, !isAtLeast(version, "1.0.0"))),
    cniVersion: version,
  };
}

/**
 * What the domain wants to know of a result: addresses inside the pod and the MAC of `interfaceName`.
 * @throws DomainError internal when an address is none
 */
export function readResult(raw: JsonObject, interfaceName: string): NetworkResult {
  const version = raw["cniVersion"];
  const isLegacy = typeof version === "string" && isSupportedVersion(version) && !isAtLeast(version, "0.3.0");
  const entries = isLegacy ? [raw["ip4"], raw["ip6"]].flatMap(fromLegacyAddress) : listOf(raw, "ips");
  const interfaces = listOf(raw, "interfaces");
  const ips = entries.filter((entry) => isInPod(entry, interfaces)).map(plainAddress);
  const mac = interfaces.find((it) => it["name"] === interfaceName && isSandboxed(it))?.["mac"];
  return {
    ips: [...new Set(ips)],
    interfaceName,
    ...(typeof mac === "string" && mac !== "" ? { mac } : {}),
    raw,
  };
}

function isInPod(entry: JsonObject, interfaces: JsonObject[]): boolean {
  const index = entry["interface"];
  if (typeof index !== "number") return true;
  const owner = interfaces[index];
  return owner === undefined || isSandboxed(owner);
}

// An interface without sandbox is one on the host's side, such as the bridge.
function isSandboxed(networkInterface: JsonObject): boolean {
  const sandbox = networkInterface["sandbox"];
  return typeof sandbox === "string" && sandbox !== "";
}

function plainAddress(entry: JsonObject): string {
  const address = entry["address"];
  const plain = typeof address === "string" ? address.replace(/\/\d{1,3}$/, "") : "";
  if (isIP(plain) === 0)
    throw new DomainError("internal", `the CNI result has an invalid address: ${JSON.stringify(address)}`);
  return plain;
}

function withFamily(ip: JsonObject, wanted: boolean): JsonObject {
  const { version: _version, ...rest } = ip;
  return wanted ? { version: addressFamily(ip) === 6 ? "6" : "4", ...rest } : rest;
}

function addressFamily(ip: JsonObject): 4 | 6 {
  return typeof ip["address"] === "string" && ip["address"].includes(":") ? 6 : 4;
}

function fromLegacyAddress(half: unknown): JsonObject[] {
  if (!isJsonObject(half) || typeof half["ip"] !== "string") return [];
  return [{ address: half["ip"], ...(half["gateway"] === undefined ? {} : { gateway: half["gateway"] }) }];
}

function toLegacyAddresses(ips: JsonObject[]): JsonObject {
  const pick = (family: 4 | 6): JsonObject | undefined => {
    const ip = ips.find((it) => addressFamily(it) === family);
    return ip && { ip: ip["address"], ...(ip["gateway"] === undefined ? {} : { gateway: ip["gateway"] }) };
  };
  const ip4 = pick(4);
  const ip6 = pick(6);
  return { ...(ip4 ? { ip4 } : {}), ...(ip6 ? { ip6 } : {}) };
}

function listOf(value: unknown, key: string): JsonObject[] {
  const list = isJsonObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}
