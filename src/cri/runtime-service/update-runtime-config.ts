import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";

export const updateRuntimeConfig: Handler<typeof RuntimeService.method.updateRuntimeConfig> = (
  { runtimeConfig },
  { runtime },
) => {
  const podCidr = runtimeConfig?.networkConfig?.podCidr ?? "";
  if (podCidr !== "") runtime.node.updatePodCidr(podCidr);
  return {};
};
