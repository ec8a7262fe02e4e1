import path from "node:path";
import type { DeviceRequest } from "#domain/container/request.ts";
import type { HostDevice } from "#drivers/security/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { OciDevice, OciDeviceRule } from "#spec/oci-runtime.ts";

/** A device request and the host's nodes that it means: one, or all below a directory. */
export interface FoundDevice {
  request: DeviceRequest;
  nodes: readonly HostDevice[];
}

export interface DeviceInputs {
  /** `additional_devices` of the configuration, then those of the request. */
  devices: readonly FoundDevice[];
  /** For a privileged container that gets the host's devices: all of them. */
  hostDevices: readonly HostDevice[] | undefined;
  /** With `device_ownership_from_security_context`: who runs in the container, when it is not root. */
  owner: { uid: number; gid: number } | undefined;
}

export interface DeviceResult {
  devices: OciDevice[];
  rules: OciDeviceRule[];
}

/**
 * Device nodes and the rules of the device cgroup: all is denied but the nodes given (runtimes add /dev/null and the like
 * themselves); a container with the host's devices may use all.
 * @throws DomainError invalid-argument for permissions other than r, w and m
 */
export function buildDevices(inputs: DeviceInputs): DeviceResult {
  const byPath = new Map<string, OciDevice>();
  const rules: OciDeviceRule[] = [{ allow: inputs.hostDevices !== undefined, access: "rwm" }];
  for (const node of inputs.hostDevices ?? []) byPath.set(node.path, ociDevice(node, node.path, undefined));
  for (const { request, nodes } of inputs.devices) {
    const access = checkedPermissions(request);
    for (const node of nodes) {
      const target = path.posix.join("/", request.containerPath, pathBelow(request.hostPath, node.path));
      byPath.set(target, ociDevice(node, target, inputs.owner));
      if (node.type !== "p") rules.push({ allow: true, type: node.type, major: node.major, minor: node.minor, access });
    }
  }
  return { devices: [...byPath.values()], rules };
}

/** What comes after a directory in a node's path; empty when the request names the node itself, if through a symlink. */
function pathBelow(requested: string, node: string): string {
  const directory = requested.endsWith("/") ? requested : `${requested}/`;
  return node.startsWith(directory) ? node.slice(directory.length) : "";
}

function ociDevice(node: HostDevice, target: string, owner: { uid: number; gid: number } | undefined): OciDevice {
  return {
    path: target,
    type: node.type,
    major: node.major,
    minor: node.minor,
    fileMode: node.fileMode,
    uid: owner?.uid ?? node.uid,
    gid: owner?.gid ?? node.gid,
  };
}

function checkedPermissions(request: DeviceRequest): string {
  const { permissions } = request;
  if (permissions === "") return "rwm";
  if (/^[rwm]{1,3}$/.test(permissions) && new Set(permissions).size === permissions.length) return permissions;
  throw new DomainError(
    "invalid-argument",
    `the device ${request.hostPath} is asked for with the permissions ${JSON.stringify(permissions)}, not of r, w and m`,
  );
}

/**
 * `host:container:permissions` as `additional_devices` and the devices annotation write it; the container's path may be
 * left out, and the permissions too.
 * @throws DomainError invalid-argument
 */
export function parseDevice(text: string): DeviceRequest {
  const parts = text.trim().split(":");
  const [hostPath = "", second = "", third = ""] = parts;
  const secondIsPath = second.startsWith("/");
  const request: DeviceRequest = {
    hostPath,
    containerPath: secondIsPath ? second : hostPath,
    permissions: secondIsPath ? third : second || third,
  };
  const tooMany = parts.length > 3 || (!secondIsPath && second !== "" && third !== "");
  if (!hostPath.startsWith("/") || tooMany)
    throw new DomainError("invalid-argument", `${JSON.stringify(text)} is no device of the form host:container:rwm`);
  checkedPermissions(request);
  return request;
}

/**
 * The devices that a pod's annotation names.
 * @throws DomainError permission-denied for one that `allowed_devices` does not list
 */
export function parseAnnotatedDevices(text: string, allowed: readonly string[]): DeviceRequest[] {
  const requests = text.split(",").filter((one) => one.trim() !== "");
  return requests.map(parseDevice).map((request) => {
    if (allowed.includes(request.hostPath)) return request;
    throw new DomainError(
      "permission-denied",
      `the pod's annotation asks for the device ${request.hostPath}, which allowed_devices does not list`,
    );
  });
}
