import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { requestAnnotation, requestedBy } from "#spec/annotations.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { type FoundDevice, parseAnnotatedDevices } from "./oci-spec/devices.ts";
import type { ContainerRequest } from "./request.ts";

/**
 * The devices that a pod's annotation asks for, looked up on the host.
 * @throws DomainError permission-denied for one that `allowed_devices` does not list
 */
export async function annotatedDevices(
  { security, settings }: Pick<ContainerDrivers, "security" | "settings">,
  sandbox: Sandbox,
  request: ContainerRequest,
  allowed: readonly string[],
): Promise<FoundDevice[]> {
  const annotations = allowedAnnotations({ ...sandbox.request.annotations, ...request.annotations }, allowed);
  const wanted = requestedBy(annotations, requestAnnotation.devices);
  if (wanted === undefined) return [];
  const requests = parseAnnotatedDevices(wanted, settings.allowedDevices);
  return Promise.all(
    requests.map(async (device) => ({ request: device, nodes: await security.devicesAt(device.hostPath) })),
  );
}
