import type { ImageInUse } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { OciHooks } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { processArgs } from "./oci-spec/process.ts";
import type { ContainerRequest } from "./request.ts";

/** The hooks that the node's files add to a container. */
export function nodeHooks(
  { hooks }: Pick<ContainerDrivers, "hooks">,
  sandbox: Sandbox,
  request: ContainerRequest,
  image: Pick<ImageInUse, "config">,
): Promise<OciHooks | undefined> {
  return hooks.of({
    annotations: { ...request.annotations, ...sandbox.request.annotations },
    command: processArgs(request, image.config.config ?? {})[0] ?? "",
    hasBindMounts: request.mounts.length > 0,
  });
}
