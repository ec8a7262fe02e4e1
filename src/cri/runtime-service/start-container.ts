import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";

export const startContainer: Handler<typeof RuntimeService.method.startContainer> = async (
  { containerId },
  { runtime },
) => {
  await runtime.containers.start(nonEmpty(containerId, "container_id"));
  return {};
};
