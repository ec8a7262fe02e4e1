import type { Handler } from "../call.ts";
import { encode, EncodedMessage } from "../encoded-message.ts";
import { PodSandboxStatusResponseSchema, type RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { containerStatuses, sandboxStatuses } from "../items.ts";
import { nonEmpty } from "../translate/required.ts";
import { nowNs } from "../translate/time.ts";

const { field } = PodSandboxStatusResponseSchema;

export const podSandboxStatus: Handler<typeof RuntimeService.method.podSandboxStatus> = (
  { podSandboxId, verbose },
  { runtime },
) => {
  const sandbox = runtime.sandboxes.get(nonEmpty(podSandboxId, "pod_sandbox_id"));
  const containers = runtime.containers.list({ labels: {}, sandboxId: sandbox.id });
  const info = verbose ? runtime.sandboxes.verbose(sandbox) : {};
  return EncodedMessage.of(PodSandboxStatusResponseSchema, [
    ...sandboxStatuses.inField(field.status, [sandbox]),
    ...containerStatuses.inField(field.containersStatuses, containers),
    encode(PodSandboxStatusResponseSchema, { info, timestamp: nowNs() }),
  ]);
};
