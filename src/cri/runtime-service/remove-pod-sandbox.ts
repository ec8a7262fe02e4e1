import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";

export const removePodSandbox: Handler<typeof RuntimeService.method.removePodSandbox> = async (
  { podSandboxId },
  { runtime },
) => {
  await runtime.sandboxes.remove(nonEmpty(podSandboxId, "pod_sandbox_id"));
  return {};
};
