import { isReady } from "#domain/sandbox/sandbox.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { nonEmpty } from "../translate/required.ts";

export const portForward: Handler<typeof RuntimeService.method.portForward> = async (
  { podSandboxId, port },
  { runtime, streaming },
) => {
  const urls = served(streaming, "port-forward");
  const sandbox = runtime.sandboxes.get(nonEmpty(podSandboxId, "pod_sandbox_id"));
  if (!isReady(sandbox)) {
    throw new DomainError(
      "failed-precondition",
      `pod sandbox ${sandbox.id} is ${sandbox.state.kind}; port-forward needs a ready one`,
    );
  }
  return { url: await urls.portForwardUrl({ sandboxId: sandbox.id, ports: port }) };
};
