import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty } from "../translate/required.ts";

export const stopPodSandbox: Handler<typeof RuntimeService.method.stopPodSandbox> = async (
  { podSandboxId },
  { runtime, deadlineMs },
) => {
  await runtime.sandboxes.stop(nonEmpty(podSandboxId, "pod_sandbox_id"), deadlineMs);
  return {};
};
