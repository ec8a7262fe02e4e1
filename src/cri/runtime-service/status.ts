import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { conditionToWire, handlerToWire } from "../translate/node-status.ts";

export const status: Handler<typeof RuntimeService.method.status> = ({ verbose }, { runtime }) => {
  const { runtime: runtimeCondition, network, handlers, supplementalGroupsPolicy } = runtime.node.status();
  return {
    status: {
      conditions: [conditionToWire("RuntimeReady", runtimeCondition), conditionToWire("NetworkReady", network)],
    },
    runtimeHandlers: handlers.map(handlerToWire),
    features: { supplementalGroupsPolicy },
    info: verbose ? runtime.node.verboseStatus() : {},
  };
};
