import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { containerStatusToWire } from "../translate/container-status.ts";
import { nonEmpty } from "../translate/required.ts";

export const containerStatus: Handler<typeof RuntimeService.method.containerStatus> = async (
  { containerId, verbose },
  { runtime },
) => {
  const container = runtime.containers.get(nonEmpty(containerId, "container_id"));
  return {
    status: containerStatusToWire(container),
    info: verbose ? await runtime.containers.verbose(container) : {},
  };
};
