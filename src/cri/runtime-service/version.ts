import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";

export const version: Handler<typeof RuntimeService.method.version> = (_request, { runtime }) => {
  const { name, version } = runtime.node.version();
  // The first field is the version of the kubelet's side of the interface, which has been 0.1.0 ever since.
  return { version: "0.1.0", runtimeName: name, runtimeVersion: version, runtimeApiVersion: "v1" };
};
