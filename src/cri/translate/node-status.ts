import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Condition, HandlerFeatures } from "#domain/runtime.ts";
import type { RuntimeConditionSchema, RuntimeHandlerSchema } from "../gen/runtime/v1/api_pb.ts";

/** RuntimeCondition; the kubelet requires the types RuntimeReady and NetworkReady. */
export function conditionToWire(
  type: "RuntimeReady" | "NetworkReady",
  { ready, reason, message }: Condition,
): MessageInitShape<typeof RuntimeConditionSchema> {
  return { type, status: ready, reason, message };
}

export function handlerToWire(handler: HandlerFeatures): MessageInitShape<typeof RuntimeHandlerSchema> {
  const { name, recursiveReadOnlyMounts, userNamespaces } = handler;
  return { name, features: { recursiveReadOnlyMounts, userNamespaces } };
}
