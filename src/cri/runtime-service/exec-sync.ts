import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { commandFromWire } from "../translate/command.ts";
import { nonEmpty, nonNegative } from "../translate/required.ts";

export const execSync: Handler<typeof RuntimeService.method.execSync> = async (
  { containerId, cmd, timeout },
  { runtime },
) => {
  const id = nonEmpty(containerId, "container_id");
  return runtime.containers.execSync(id, commandFromWire(cmd), nonNegative(timeout, "timeout"));
};
