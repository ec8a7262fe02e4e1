import type { MessageInitShape } from "@bufbuild/protobuf";
import { isReady, type Sandbox } from "#domain/sandbox/sandbox.ts";
import type { PodSandboxSchema, PodSandboxState, PodSandboxStatusSchema } from "../gen/runtime/v1/api_pb.ts";
import { sandboxStates } from "./enums.ts";
import { namespacesToWire } from "./security.ts";
import { timestampNs } from "./time.ts";

/** PodSandbox, the item of lists. */
export function sandboxToWire(sandbox: Sandbox): MessageInitShape<typeof PodSandboxSchema> {
  return identityToWire(sandbox);
}

export function sandboxStatusToWire(sandbox: Sandbox): MessageInitShape<typeof PodSandboxStatusSchema> {
  const { securityContext } = sandbox.request.linux;
  const [ip = "", ...others] = sandbox.ips;
  return {
    ...identityToWire(sandbox),
    network: { ip, additionalIps: others.map((other) => ({ ip: other })) },
    linux: { namespaces: { options: namespacesToWire(securityContext.namespaceOptions) } },
  };
}

function identityToWire(sandbox: Sandbox) {
  const { metadata, labels, annotations } = sandbox.request;
  return {
    id: sandbox.id,
    metadata,
    state: stateToWire(sandbox),
    createdAt: timestampNs(sandbox.createdAtNs),
    labels,
    annotations,
    runtimeHandler: sandbox.runtimeHandler,
  };
}

/** Whatever is not ready, half-made or half-stopped included, is for the kubelet to stop and remove. */
function stateToWire(sandbox: Sandbox): PodSandboxState {
  return sandboxStates.toWire(isReady(sandbox) ? "ready" : "not-ready");
}
