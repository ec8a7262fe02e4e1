import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { absolutePath, nonEmpty, nonNegative } from "../translate/required.ts";

export const checkpointContainer: Handler<typeof RuntimeService.method.checkpointContainer> = async (
  { containerId, location, timeout },
  { runtime },
) => {
  await served(runtime.checkpoints, "checkpoints").create(
    nonEmpty(containerId, "container_id"),
    absolutePath(location, "location"),
    nonNegative(timeout, "timeout"),
  );
  return {};
};
