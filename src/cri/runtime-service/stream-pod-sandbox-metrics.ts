import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { batches } from "../batches.ts";
import { served } from "../served.ts";
import { sandboxMetricsToWire } from "../translate/metrics.ts";

export const streamPodSandboxMetrics: Handler<typeof RuntimeService.method.streamPodSandboxMetrics> = async function* (
  _request,
  { runtime },
) {
  const metrics = await served(runtime.stats, "metrics").listMetrics();
  for (const batch of batches(metrics)) yield { podSandboxMetrics: batch.map(sandboxMetricsToWire) };
};
