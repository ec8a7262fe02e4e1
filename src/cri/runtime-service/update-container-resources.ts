import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty, required } from "../translate/required.ts";
import { resourcesFromWire } from "../translate/resources.ts";

export const updateContainerResources: Handler<typeof RuntimeService.method.updateContainerResources> = async (
  { containerId, linux },
  { runtime },
) => {
  const resources = resourcesFromWire(required(linux, "linux"), "linux");
  await runtime.containers.updateResources(nonEmpty(containerId, "container_id"), resources);
  return {};
};
