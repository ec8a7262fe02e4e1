import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty, nonNegative } from "../translate/required.ts";

export const stopContainer: Handler<typeof RuntimeService.method.stopContainer> = async (
  { containerId, timeout },
  { runtime },
) => {
  await runtime.containers.stop(nonEmpty(containerId, "container_id"), nonNegative(timeout, "timeout"));
  return {};
};
