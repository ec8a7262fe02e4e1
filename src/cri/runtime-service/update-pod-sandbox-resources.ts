import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";
import { optionalResourcesFromWire } from "../translate/resources.ts";

export const updatePodSandboxResources: Handler<typeof RuntimeService.method.updatePodSandboxResources> = async (
  request,
  { runtime },
) => {
  await runtime.sandboxes.updateResources(
    nonEmpty(request.podSandboxId, "pod_sandbox_id"),
    optionalResourcesFromWire(request.overhead, "overhead"),
    optionalResourcesFromWire(request.resources, "resources"),
  );
  return {};
};
