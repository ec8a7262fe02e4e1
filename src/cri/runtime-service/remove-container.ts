import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";

export const removeContainer: Handler<typeof RuntimeService.method.removeContainer> = async (
  { containerId },
  { runtime },
) => {
  await runtime.containers.remove(nonEmpty(containerId, "container_id"));
  return {};
};
