import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { sandboxRequestFromWire } from "../translate/sandbox-request.ts";

export const runPodSandbox: Handler<typeof RuntimeService.method.runPodSandbox> = async (
  { config, runtimeHandler },
  { runtime },
) => {
  const request = sandboxRequestFromWire(config, "config");
  return { podSandboxId: await runtime.sandboxes.run(request, runtimeHandler) };
};
