import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { sandboxMetricsToWire } from "../translate/metrics.ts";

export const listPodSandboxMetrics: Handler<typeof RuntimeService.method.listPodSandboxMetrics> = async (
  _request,
  { runtime },
) => {
  const metrics = await served(runtime.stats, "metrics").listMetrics();
  return { podMetrics: metrics.map(sandboxMetricsToWire) };
};
