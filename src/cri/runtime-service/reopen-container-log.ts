import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";

export const reopenContainerLog: Handler<typeof RuntimeService.method.reopenContainerLog> = async (
  { containerId },
  { runtime },
) => {
  await runtime.containers.reopenLog(nonEmpty(containerId, "container_id"));
  return {};
};
