import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { containerStatusToWire } from "../translate/container-status.ts";
import { nonEmpty } from "../translate/required.ts";
import { sandboxStatusToWire } from "../translate/sandbox-status.ts";
import { nowNs } from "../translate/time.ts";

export const podSandboxStatus: Handler<typeof RuntimeService.method.podSandboxStatus> = (
  { podSandboxId, verbose },
  { runtime },
) => {
  const sandbox = runtime.sandboxes.get(nonEmpty(podSandboxId, "pod_sandbox_id"));
  const containers = runtime.containers.list({ labels: {}, sandboxId: sandbox.id });
  return {
    status: sandboxStatusToWire(sandbox),
    info: verbose ? runtime.sandboxes.verbose(sandbox) : {},
    containersStatuses: containers.map(containerStatusToWire),
    timestamp: nowNs(),
  };
};
