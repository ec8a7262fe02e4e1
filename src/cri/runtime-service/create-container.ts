import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { containerRequestFromWire } from "../translate/container-request.ts";
import { nonEmpty } from "../translate/required.ts";
import { sandboxRequestFromWire } from "../translate/sandbox-request.ts";

export const createContainer: Handler<typeof RuntimeService.method.createContainer> = async (
  { podSandboxId, config, sandboxConfig },
  { runtime },
) => {
  const containerId = await runtime.containers.create(
    nonEmpty(podSandboxId, "pod_sandbox_id"),
    containerRequestFromWire(config),
    sandboxConfig && sandboxRequestFromWire(sandboxConfig, "sandbox_config"),
  );
  return { containerId };
};
